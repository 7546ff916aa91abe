"""The arbiter: somebody is asked, no machine that is a director, and votes of directors that can decide something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.mistakes import Finding
from haman.config.rules import trackers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.shape.arbiter import Arbiter
    from haman.config.view import View

_SECTION = "arbiter"


def findings(view: View) -> Iterator[Finding]:
    written = view.file.arbiter
    if written is None:
        return
    voices = len(written.ping) + len(written.arp) + len(written.directors)
    if not voices and _SECTION not in view.broken:
        cure = "add 'ping' or 'arp' with the gateway's address, or 'directors'"
        yield Finding((_SECTION,), "nobody is asked", cure, at_key=True)
    elif written.quorum is not None and written.quorum > voices and _SECTION not in view.broken:
        what = f"{written.quorum} must say yes, and {voices} {'is' if voices == 1 else 'are'} asked"
        yield Finding((_SECTION, "quorum"), what, "ask more, or lower it")
    elif written.directors and _SECTION not in view.broken:
        yield from _votes(view, written, voices)
    if len(view.file.directors) == 1 and "directors" not in view.broken:
        what = "there is one director, so nobody takes over from another"
        yield Finding((_SECTION,), what, "remove it", at_key=True)
    own = {director.address: f"director {name}" for name, director in view.file.directors.items()}
    vips = {vip.interface.ip: f"a VIP of router {name}" for name in view.file.routers for vip in view.vips_of(name)}
    for key, addresses in (("ping", written.ping), ("arp", written.arp)):
        for index, address in enumerate(addresses):
            whose = vips.get(address) or own.get(address)
            if whose is not None:
                what = f"{address} is {whose}, which answers on the wrong side of a cut too"
                yield Finding((_SECTION, key, index), what, "write the address of a machine that is no director")
            elif address in addresses[:index]:
                yield Finding((_SECTION, key, index), f"{address} is asked already", "remove it once")
            else:
                yield from trackers.nowhere((_SECTION, key, index), address, written.dev)


def _votes(view: View, written: Arbiter, voices: int) -> Iterator[Finding]:
    """Of directors: they exist and can be asked, and neither one's own vote alone decides nor one that is dead must."""
    path = (_SECTION, "directors")
    for index, name in enumerate(written.directors):
        if view.lacks("directors", name):
            yield Finding((*path, index), f"there is no director '{name}'", "name one of 'directors'")
        elif name in written.directors[:index]:
            yield Finding((*path, index), f"{name} is asked already", "remove it once")
    if view.file.channel is False:
        yield Finding(path, "directors vote over their channel, which is off", "remove 'channel: false'", at_key=True)
    if view.broken & {"directors", "routers"}:
        return
    quorum = written.quorum or voices // 2 + 1
    serving = {name for router in view.file.routers for name in view.seats(router)}
    voting = sorted(serving & set(written.directors))
    if voting and quorum == 1:
        what = f"the vote of {voting[0]} alone is enough, for itself too: behind a cut it would agree with itself"
        yield Finding(path, what, "ask more, so that two must say yes", at_key=True)
    elif voting and voices - 1 < quorum:
        what = f"{quorum} must say yes, and without {voting[0]} only {voices - 1} can: nobody could take over from it"
        yield Finding(path, what, "ask a third director, or a machine beside them", at_key=True)
    elif quorum <= voices / 2:
        what = f"{quorum} of {voices} could say yes to one director, and the others to another one"
        yield Finding((_SECTION, "quorum"), what, f"write {voices // 2 + 1} or more, or leave it out")
