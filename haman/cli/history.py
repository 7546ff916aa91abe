"""`haman history`: what happened to an object, or to all, with its reasons."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from haman.cli.times import precise, since
from haman.director.ask import ask

if TYPE_CHECKING:
    import argparse

FINE, WRONG_INPUT = 0, 2


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 fine, 1 no haman answers here, 2 there is no such object, or no such time."
    parser.add_argument(
        "object",
        nargs="?",
        metavar="OBJECT",
        help="a router, group, service, server (web/rs1, rs1), address, or kind (router, server, hook, drift, ...)",
    )
    parser.add_argument("--since", metavar="TIME", help="10m, 2h, 14:05 or '2026-11-22 14:05'")
    parser.add_argument("--last", type=int, default=50, metavar="N", help="at most so many (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, oldest first")


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes. Raises Unreachable."""
    try:
        moment = since(options.since, time.time()) if options.since else None
    except ValueError as error:
        print(f"haman history: --since {error}", file=sys.stderr)
        return WRONG_INPUT
    answer = ask("history", object=options.object, since=moment, last=max(0, options.last))
    if unknown(options, answer):
        return WRONG_INPUT
    for entry in answer["entries"]:
        print(json.dumps(entry) if options.json else line(entry, time.time()))
    if not answer["entries"] and not options.json:
        print("nothing happened" + (f" since {options.since}" if options.since else ""))
    return FINE


def unknown(options: argparse.Namespace, answer: dict[str, Any]) -> bool:
    """Whether nothing is called as the object that was asked for; then it was said."""
    if "meant" not in answer:
        return False
    meant = f"; did you mean {answer['meant']!r}?" if answer["meant"] else "; `haman status` shows what there is"
    print(f"haman {options.verb}: nothing here is called {options.object!r}{meant}", file=sys.stderr)
    return True


def line(entry: dict[str, Any], now: float) -> str:
    """`14:03:02.481 router public: standby -> active: nothing heard for 3.61 s`."""
    what = f"{entry['kind']} {entry['who']}: {entry['before']} -> {entry['after']}: {entry['why']}"
    return f"{precise(entry['at'], now)} {what}"
