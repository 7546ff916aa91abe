"""`haman lab logs`: what the programs of the cluster that `haman lab up` keeps have written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

FINE = 0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 told, 1 no cluster is kept here, or no host is called so."
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="of these only (default: of all)")
    parser.add_argument("--follow", "-f", action="store_true", help="and what comes, until Ctrl-C")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="lines of each (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """0. Raises LabError."""
    from haman.lab.box.client import Call, write

    question = {"ask": "logs", "hosts": options.hosts, "last": max(0, options.last), "follow": options.follow}
    with Call(question, data=write) as call:
        call.answer()
    return FINE
