"""`haman plan`: what this configuration would change in this kernel, and whom that would hit. Nothing is changed."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from haman import config
from haman.config import node as config_node
from haman.director.ask import ask
from haman.errors import Unreachable

if TYPE_CHECKING:
    import argparse

    from haman.director.foresee import Foreseen
    from haman.plan.blast import Toll

NOTHING, FAILED, CHANGES = 0, 1, 3


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 nothing would change, 1 this kernel cannot be looked at, 2 the configuration is wrong,"
        " 3 something would change."
    )
    parser.add_argument(
        "file", nargs="?", default=config.DEFAULT_FILE, metavar="FILE", help="the configuration (default: %(default)s)"
    )
    parser.add_argument("--node", help="which director this is (default: found by host name or address)")
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes. Raises ConfigError, NodeUnknown, KernelUnavailable, KernelRefused."""
    from haman.director.foresee import foresee

    cluster = config.load(options.file)
    node = config_node.find(cluster, options.node)
    try:
        status = ask("status")
    except Unreachable:
        status = None
    if status is not None and status["node"] != node:
        status = None  # another cluster's haman, or another part of it: what it knows is not about this one
    try:
        seen = asyncio.run(foresee(cluster, node, status))
    except PermissionError as error:
        print(f"haman plan: this kernel may not be looked at: {error.strerror}; try as root", file=sys.stderr)
        return FAILED
    print(json.dumps(plain(seen, node), indent=2) if options.json else text(seen, node, str(options.file)))
    return CHANGES if seen.changes else NOTHING


def text(seen: Foreseen, node: str, file: str) -> str:
    lines = [f"{file} on {node}:"]
    lines += [f"  assumed: {words}" for words in seen.assumed]
    lines += [f"  {words}" for words in seen.ways]
    if not seen.changes:
        return "\n".join([*lines, "nothing would change"])
    if seen.ops:
        lines += ["", f"{_operations(len(seen.ops))} on this kernel, in this order:", *(f"  {op}" for op in seen.ops)]
    lines += ["", "what that does to clients:", *(f"  {words}" for words in impact(seen))]
    return "\n".join(lines)


def _operations(number: int) -> str:
    return f"{number:,} operation{'' if number == 1 else 's'}"


def impact(seen: Foreseen) -> list[str]:
    """In sentences; never empty."""
    said = list(seen.moves)
    for move in seen.blast.moves:
        where = f"comes to {move.device}" if move.coming else f"leaves {move.device}"
        said.append(f"VIP {move.ip} {where} of this director")
    said += [_toll(toll) for toll in seen.blast.tolls]
    if seen.blast.elsewhere:
        said.append(f"{seen.blast.elsewhere:,} established connections of other services go on")
    return said or ["nothing: no VIP moves, no connection breaks, no service loses a server"]


def _toll(toll: Toll) -> str:
    before, after = toll.servers
    if not after and not before:
        servers = "it has no server"
    else:
        servers = f"servers {before} -> {after} ({toll.left:.0%} of the weight is left)"
    if not toll.live:
        return f"service {toll.service}: {servers}; no established connection"
    when = "" if toll.here else " when this director takes over: now they pass another one"
    return f"service {toll.service}: {servers}; {toll.broken:,} of {toll.live:,} established connections break{when}"


def plain(seen: Foreseen, node: str) -> dict[str, Any]:
    return {
        "node": node,
        "changes": seen.changes,
        "assumed": list(seen.assumed),
        "backups": list(seen.ways),
        "operations": [str(op) for op in seen.ops],
        "elections": list(seen.moves),
        "vips": [{"address": str(move.ip), "device": move.device, "coming": move.coming} for move in seen.blast.moves],
        "services": [
            {
                "service": str(toll.service),
                "servers": list(toll.servers),
                "weight": list(toll.weight),
                "weight_left": toll.left,
                "established": toll.live,
                "breaking": toll.broken,
                "here": toll.here,
            }
            for toll in seen.blast.tolls
        ],
        "established_elsewhere": seen.blast.elsewhere,
    }
