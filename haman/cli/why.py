"""`haman why OBJECT`: the chain of causes in sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from haman.cli.history import unknown
from haman.cli.times import clock, span
from haman.director.ask import ask

if TYPE_CHECKING:
    import argparse

FINE, WRONG_INPUT = 0, 2


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 fine, 1 no haman answers here, 2 there is no such object."
    parser.add_argument(
        "object", metavar="OBJECT", help="a router, group, service, server (web/rs1:80, web/rs1, rs1), VIP or address"
    )
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes. Raises Unreachable."""
    answer = ask("why", object=options.object)
    if unknown(options, answer):
        return WRONG_INPUT
    if options.json:
        print(json.dumps(answer, indent=2))
    else:
        print("\n\n".join("\n".join(sentence(line, answer["now"]) for line in chain) for chain in answer["chains"]))
    return FINE


def sentence(line: dict[str, Any], now: float) -> str:
    """`router public is active on lb1 (since 14:03:02, 4 min 10 s ago)`."""
    text = str(line["text"])
    when = "" if line["at"] is None else f" ({clock(line['at'], now)}, {span(now - line['at'])} ago)"
    indent = "  " * int(line["depth"])
    return f"{indent}{text}{when}"
