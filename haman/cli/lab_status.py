"""`haman lab status`: the hosts of the cluster that `haman lab up` keeps, what runs on them, what is lacking."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

FINE, FAILED, NO = 0, 1, 3

PLAIN_WIDTH = 200
"""Columns where the output is no terminal."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 clients are served, 1 no cluster is kept here, or it is no more (it is said why), 3 something is"
        " lacking."
    )
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes. Raises LabError."""
    from haman.lab.box.client import ask
    from haman.lab.box.folder import Folder
    from haman.lab.box.start import kept

    condition = ask("status")
    order = kept(Folder())
    if options.json:
        print(json.dumps({"file": order.file, "kernel": order.kernel, "since": order.since, **condition}, indent=2))
    else:
        print(f"{order.file}, on the {order.kernel} kernel\n")
        show(condition)
    return FINE if condition["serves"] else NO


def show(condition: dict[str, Any]) -> None:
    """The hosts, one a line, and what is lacking."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("host", "is", "addresses", "by way of", "runs"):
        table.add_column(heading, overflow="fold")
    for host in condition["hosts"]:
        addresses = [f"{card} {' '.join(texts)}" for card, texts in host["addresses"].items()]
        roles = [f"{router}: {role}" for router, role in host["roles"].items()]
        programs = [f"{each['what']}{'' if each['running'] else ' (ended)'}" for each in host["programs"]]
        table.add_row(
            host["name"],
            ", ".join([host["kind"], *roles, *(["cut off"] if host["cut"] else [])]),
            "\n".join(addresses),
            "\n".join(host["gateways"]),
            "\n".join(programs),
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)
    if condition["lacks"]:
        print("\nlacking:")
        for words in condition["lacks"]:
            print(f"  {words}")
