"""Signatures: keys that are distinct, and nobody left out unawares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.mistakes import Finding
from haman.config.shape.around import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.authentication import Signatures
    from haman.config.view import View

_SECTION = "authentication"


def findings(view: View) -> Iterator[Finding]:
    written = view.file.authentication
    if written is not None:
        yield from _keys(written)
        yield from _channel(view)
    if _SECTION not in view.broken:
        yield from _routers(view)
        yield from _groups(view)


def _keys(written: Signatures) -> Iterator[Finding]:
    numbers: dict[int, int] = {}
    files: dict[str, int] = {}
    for index, key in enumerate(written.keys):
        path: Path = (_SECTION, "keys", index)
        if numbers.setdefault(key.id, index) != index:
            what = f"there is a key {key.id} already, and a receiver could not tell which is meant"
            yield Finding((*path, "id"), what, "give each its own number")
        if files.setdefault(key.file, index) != index:
            yield Finding((*path, "file"), "this is the file of another key", "a new key is a new secret")
    if written.send is not None and written.send not in numbers:
        cure = f"write one of {', '.join(map(str, sorted(numbers)))}, or add the key"
        yield Finding((_SECTION, "send"), f"none of the keys has the id {written.send}", cure)


def _channel(view: View) -> Iterator[Finding]:
    channel = view.file.channel
    if isinstance(channel, Channel) and channel.key_file is not None:
        what = "the channel is signed with the keys of 'authentication'"
        yield Finding(("channel", "key_file"), what, "remove it", at_key=True)


def _routers(view: View) -> Iterator[Finding]:
    keys = view.file.authentication is not None
    for name, router in view.file.routers.items():
        path: Path = ("routers", name)
        if router.authenticate is not None and not keys:
            cure = "add 'authentication', or remove this"
            yield Finding((*path, "authenticate"), "there are no keys to sign with", cure, at_key=True)
        elif router.version == 2 and keys and router.authenticate is not False:
            place: Path = (*path, "version") if router.authenticate is None else (*path, "authenticate")
            what = "VRRPv2 has no signatures, only passwords that everybody can read"
            cure = "write 'version: 3', or 'authenticate: false' to have this router believe anybody"
            yield Finding(place, what, cure, at_key=True)


def _groups(view: View) -> Iterator[Finding]:
    if view.file.authentication is None or view.broken & {"routers"}:
        return
    for name, group in view.file.groups.items():
        members = [router for router in group.routers if router in view.file.routers]
        open_ones = [router for router in members if not view.authenticated(router)]
        if open_ones and len(open_ones) < len(members):
            what = f"router '{open_ones[0]}' is not authenticated, and who forges its advertisements moves the others"
            cure = "let it be, or leave out all of the group"
            yield Finding(("groups", name, "routers"), what, cure, at_key=True)
