"""`haman lab kill`, `halt`, `start`, `cut`, `heal`: what happens to hosts of the cluster that `haman lab up` keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

FINE = 0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 done, 1 no cluster is kept here, or no host is called so."
    parser.add_argument("hosts", nargs="+", metavar="HOST", help="one of `haman lab status`")


def run(options: argparse.Namespace) -> int:
    """0. Raises LabError."""
    from haman.lab.box.client import ask

    for host in options.hosts:
        print(ask("do", verb=options.verb.removeprefix("lab "), host=host), flush=True)
    return FINE
