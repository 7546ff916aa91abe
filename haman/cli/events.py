"""`haman events`: what happens, as it happens."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from haman.cli.history import line, unknown
from haman.director.ask import ask, follow
from haman.errors import Unreachable

if TYPE_CHECKING:
    import argparse

FINE, WRONG_INPUT = 0, 2

PATIENCE = 60.0
"""Seconds for which a director that ended is waited for: it is started again within a few."""

AGAIN = 0.2
"""Seconds between two attempts to reach it."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 fine, 1 no haman answers here (with --follow: any more), 2 there is no such object."
    parser.add_argument("object", nargs="?", metavar="OBJECT", help="only what is about it, as for `haman history`")
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what happens from now on")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="so many first (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help='one JSON object a line: {"event": ...} or {"gap": ...}')


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes. Raises Unreachable."""
    if options.object is not None or not options.follow:
        answer = ask("history", object=options.object, last=0 if options.follow else max(0, options.last))
        if unknown(options, answer):
            return WRONG_INPUT
    if not options.follow:
        for entry in answer["entries"]:
            _show({"event": entry}, options)
        return FINE
    read: int | None = None
    until = 0.0
    while True:
        details = {"last": max(0, options.last)} if read is None else {"after": read}
        try:
            read = _follow(options, read, details)
            until = time.monotonic() + PATIENCE
            _note("the director ended; waiting for the next one")
        except Unreachable:
            if time.monotonic() >= until:
                raise
        time.sleep(AGAIN)


def _follow(options: argparse.Namespace, read: int | None, details: dict[str, Any]) -> int:
    """Until the director ends. Returns the number read last."""
    for item in follow("events", object=options.object, **details):
        if "number" in item:
            if read is not None and item["number"] < read:
                _note("the history began anew: this machine, or /run, was cleared")
            read = item["number"]
            continue
        read = max(read or 0, item.get("event", {}).get("number", 0))
        _show(item, options)
    return read or 0


def _show(item: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(item), flush=True)
    elif "gap" in item:
        print(f"({item['gap']} events were not kept for this reader: see haman history)", flush=True)
    elif "event" in item:
        print(line(item["event"], time.time()), flush=True)


def _note(words: str) -> None:
    print(f"haman events: {words}", file=sys.stderr, flush=True)
