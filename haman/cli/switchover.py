"""`haman switchover`: give routers that are active here to another director, now or later; and take that back."""

from __future__ import annotations

import argparse
import getpass
import sys
import time

from haman.cli.output import show
from haman.cli.times import clock, until
from haman.director.ask import ask

FINE, WRONG_INPUT, NO = 0, 2, 3

TIMEOUT = 180.0
"""Seconds. At the longest interval, 41 s, an offer lasts 82."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Gives routers that are active here to another director that says it can serve them. This one serves on until"
        " the other has taken over, and does not take them back, whatever its priority, until --back, or until nobody"
        " serves them."
    )
    parser.epilog = (
        "Exit codes: 0 done, 1 no haman answers here, 2 the options say two things, 3 not done: it is said why."
    )
    parser.add_argument("routers", nargs="*", metavar="ROUTER", help="which ones (default: all that are active here)")
    parser.add_argument("--to", metavar="DIRECTOR", help="which director (default: the one with the best priority)")
    parser.add_argument("--force", action="store_true", help="whatever the other director lacks")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--at", type=_moment, metavar="TIME", help="later: 02:30, 2026-11-23 02:30, or 10m from now")
    what.add_argument("--cancel", action="store_true", help="forget what is planned with --at")
    what.add_argument("--back", action="store_true", help="let this director take them again, as configured")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def _moment(text: str) -> float:
    try:
        return until(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """0, 2 or 3. Raises Unreachable."""
    instead = "--back" if options.back else "--cancel"
    if (options.back or options.cancel) and (options.to is not None or options.force):
        print(f"haman switchover: {instead} gives nothing away, so there is no --to and no --force", file=sys.stderr)
        return WRONG_INPUT
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
