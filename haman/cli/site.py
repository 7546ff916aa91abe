"""`haman site use`: have a backup serve, or the local servers, whatever health says; or leave it to health again."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

from haman.cli.output import show
from haman.director.ask import ask

if TYPE_CHECKING:
    import argparse

FINE, NO = 0, 3


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 it is so, 1 no haman answers here, or it refuses and says why, 2 the arguments are wrong, 3 it"
        " is wanted from now on, but no backup is up. It is kept until you say `auto`, over restarts and reboots, and"
        " known to the other directors."
    )
    parser.add_argument("action", choices=("use",), metavar="use", help="say which site is to serve")
    parser.add_argument(
        "site", choices=("backup", "local", "auto"), metavar="backup|local|auto", help="auto: as health says"
    )
    parser.add_argument("service", metavar="SERVICE", help="a service with a backup")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def run(options: argparse.Namespace) -> int:
    """0 or 3. Raises Unreachable, also for what the director refuses."""
    outcome: dict[str, Any] = ask("site", service=options.service, order=options.site, by=getpass.getuser())
    show(options, outcome, [f"service {outcome['service']}: {outcome['serves']} serves: {outcome['why']}"])
    missed = options.site == "backup" and outcome["serves"] == "local"
    return NO if missed else FINE
