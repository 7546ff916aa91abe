"""`haman maintenance`: whether this director takes VIPs at all; on, off, or what it is."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

from haman.cli.output import show
from haman.cli.times import clock
from haman.director.ask import ask

if TYPE_CHECKING:
    import argparse

FINE, WRONG_INPUT, NO = 0, 2, 3

TIMEOUT = 180.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "While it is on this director takes no VIP; what it serves goes to another one first, in good order. It stays"
        " on over restarts and reboots. Its table stays loaded, and its own servers serve on."
    )
    parser.epilog = (
        "Exit codes: 0 done, or off; 1 no haman answers here; 2 an option, and neither on nor off; 3 not done (it is"
        " said why), or on."
    )
    parser.add_argument("state", nargs="?", choices=("on", "off"), help="without: say what it is")
    parser.add_argument("--why", default="", metavar="TEXT", help="shown wherever it is seen")
    parser.add_argument("--force", action="store_true", help="even if nobody can take over what is served here")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def run(options: argparse.Namespace) -> int:
    """0, 2 or 3. Raises Unreachable."""
    if options.state is None and (options.why or options.force):
        print("haman maintenance: --why and --force go with on or off, and neither is said", file=sys.stderr)
        return WRONG_INPUT
    if options.state is None:
        return _shown(ask("status"), options)
    outcome = ask(
        "maintenance",
        patience=TIMEOUT,
        on=options.state == "on",
        why=options.why,
        force=options.force,
        by=getpass.getuser(),
    )
    show(options, outcome, outcome["lines"], ok=outcome["ok"])
    return FINE if outcome["ok"] else NO


def _shown(status: dict[str, Any], options: argparse.Namespace) -> int:
    order = status["orders"]["maintenance"]
    show(options, {"maintenance": order}, ["off" if order is None else f"on, {words(order, status['now'])}"])
    return FINE if order is None else NO


def words(order: dict[str, Any], now: float) -> str:
    """By whom, since when, and why."""
    return f"ordered by {order['by']} at {clock(order['at'], now)}" + (f": {order['why']}" if order["why"] else "")
