"""`haman realserver`: make this machine take the packets that directors send it."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from haman.cli.run import DEFAULT_CONFIG
from haman.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from haman.model.kernel import Kernel
    from haman.plan.realserver import Part
    from haman.realserver.level import Outcome

FINE, FAILED = 0, 1
METHODS = ("loopback", "tunnel", "redirect")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--node", help="which real server this is, by name (default: found by its addresses)")
    parser.add_argument(
        "--method",
        choices=METHODS,
        help="how VIPs are taken: loopback (on lo, silent), tunnel (on devices that unwrap, made here),"
        " redirect (no VIP at all: the packet filter takes them). Default: what the file's forwarding methods need",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--stay", action="store_true", help="go on, put back what somebody removes, undo it all at the end"
    )
    what.add_argument("--undo", action="store_true", help="remove what this verb made, needs no FILE")
    what.add_argument("--print", action="store_true", help="print the plain commands, change nothing")
    parser.epilog = (
        "Exit codes: 0 all is in place, or was removed, 1 the kernel refused something, 2 the configuration is wrong or"
        " this machine is none of its real servers."
    )


def run(options: argparse.Namespace) -> int:
    """0, 1 or 2."""
    if options.undo:
        return _told(asyncio.run(_undo()), "nothing of ours is here")
    read = partial(_wanted, options.file.absolute(), options.node, options.method)
    if options.print:
        return _print(read())
    if options.stay:
        from haman.observe import journal
        from haman.realserver import service

        journal.setup("realserver")
        return asyncio.run(service.stay(read))
    return _told(asyncio.run(_reach(read())), "all is in place already")


def _wanted(file: Path, node: str | None, method: str | None) -> Kernel:
    """What the file asks of this machine. Raises ConfigError, NodeUnknown."""
    from haman import config
    from haman.plan import realserver
    from haman.realserver import identity

    found = identity.find(config.load(file), node)
    why = realserver.conflict(found) or (_unfit(found, method) if method else None)
    if why:
        raise ConfigError([f"{file}:1:1: {why}"])
    for words in realserver.hints(found):
        print(words, file=sys.stderr)
    if method == "redirect":
        return realserver.redirected(found)
    return realserver.wanted(found, unwrap=method != "loopback")


def _unfit(found: list[Part], method: str) -> str | None:
    from haman.kernel import remembered
    from haman.model.kernel import TableKey
    from haman.model.services import Forward

    if method == "redirect" and any(part.server.forward is Forward.TUN for part in found):
        return "a tunnel's device has no address to redirect to, so its VIPs must be here; leave out --method redirect"
    if method == "redirect" and TableKey() in remembered.load("ipvs"):
        return "haman run has its packet-filter table on this machine; leave out --method redirect"
    if method == "tunnel" and not any(part.server.forward is Forward.TUN for part in found):
        return (
            "no service reaches this server by 'forward: tun', so there is nothing to unwrap; leave out --method tunnel"
        )
    return None


def _print(wanted: Kernel) -> int:
    from haman.model.kernel import Kernel
    from haman.plan.diff import diff
    from haman.plan.realserver import ownership
    from haman.realserver.commands import commands

    for line in commands(diff(wanted, Kernel(), ownership(wanted, ()))):
        print(line)
    return FINE


async def _reach(wanted: Kernel) -> Outcome:
    from haman.realserver.level import Level

    async with Level() as level:
        return await level.reach(wanted)


async def _undo() -> Outcome:
    from haman.realserver.level import Level

    async with Level() as level:
        return await level.undo()


def _told(outcome: Outcome, nothing: str) -> int:
    for op in outcome.done:
        print(op)
    for refusal in outcome.refused:
        print(refusal.error, file=sys.stderr)
    if outcome.kept:
        words = "connections run on that the packet filter has redirected: its table stays for them, and redirects"
        print(f"{outcome.kept} {words} nothing new; haman realserver --undo after their end takes it away")
    elif not outcome.done and not outcome.refused:
        print(nothing)
    return FAILED if outcome.refused else FINE
