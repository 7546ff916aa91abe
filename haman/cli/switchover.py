"""`haman switchover`: give routers that are active here to another director, now or later; and take that back."""

from __future__ import annotations

import argparse
import getpass
import time

from haman.cli.output import show
from haman.cli.times import clock, until
from haman.director.ask import ask

FINE, NO = 0, 3

TIMEOUT = 180.0
"""Seconds. At the longest interval, 41 s, an offer lasts 82."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Gives routers that are active here to another director that says it can serve them. This one serves on until"
        " the other has taken over, and does not take them back, whatever its priority, until --back, or until nobody"
        " serves them."
    )
    parser.epilog = "Exit codes: 0 done, 1 no haman answers here, 3 not done: it is said why."
    parser.add_argument("routers", nargs="*", metavar="ROUTER", help="which ones (default: all that are active here)")
    parser.add_argument("--to", metavar="DIRECTOR", help="which director (default: the one with the best priority)")
    parser.add_argument("--force", action="store_true", help="whatever the other director lacks")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="later: 02:30, 2026-11-23 02:30, or 10m from now")
    parser.add_argument("--cancel", action="store_true", help="forget what is planned with --at")
    parser.add_argument("--back", action="store_true", help="let this director take them again, as configured")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def _moment(text: str) -> float:
    try:
        return until(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """0 or 3. Raises Unreachable."""
    outcome = ask(
        "switchover",
        patience=TIMEOUT,
        routers=options.routers,
        to=options.to,
        force=options.force,
        at=options.at,
        cancel=options.cancel,
        back=options.back,
        by=getpass.getuser(),
    )
    at = f"{clock(options.at, time.time())}: " if options.at is not None and outcome["ok"] else ""
    show(options, outcome, (f"{at}{line}" for line in outcome["lines"]), ok=outcome["ok"])
    return FINE if outcome["ok"] else NO
