"""What a director tells its relay, and the relay it: values, and the messages they become on a SEQPACKET socket.

Each message is one JSON object. Both ends are one program of one version, so what the relay does not understand is a
mistake of ours and raises. The director believes the relay less, which takes strangers' bytes: `heard` takes what it
may say and nothing else. The socket of a front goes with the message that opens it, so the relay itself may open none.

An order may be as long as a pool is large, so it goes in parts, each of which fits whenever there is room at all. What
the relay tells fits into one part each.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from haman.model.relay import Proxy, Terms
from haman.model.services import Protocol
from haman.relay.account import COUNTS, REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.addresses import Address, Network

PART = 64 << 10
"""Bytes of a message at once: well below what a socket holds by default (net.core.wmem_default, 208 KiB), so that one
is taken as soon as the one before was read."""

TOLD_TOGETHER = 100
"""Ways whose figures fit into one part: some 400 bytes each, and a name of 64 characters at most."""

_WORDS = 500
"""Characters of what is said for the log, at most."""

_COUNTED = 1 << 63
"""Beyond any count; and what is larger by far, metrics cannot show as a float."""

_MORE, _LAST = b"+", b"."

Weights = dict[str, dict[str, tuple[int, bool]]]
"""By way and server: the weight, and whether its check says it is up."""


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    address: Address
    port: int
    source: Address | None


@dataclass(frozen=True, slots=True)
class Way:
    """The relay to one backup. prefix: of clients that stay with one server; None: each goes where there is room."""

    name: str
    terms: Terms
    servers: tuple[Server, ...]
    prefix: int | None


@dataclass(frozen=True, slots=True)
class Front:
    """One port of a service, and the backups of it that are reached by relay, in their order. name: `web:80`. origins:
    where backups' own packets come from, which are taken by none of the ways."""

    name: str
    protocol: Protocol
    address: Address
    port: int
    ways: tuple[Way, ...]
    origins: tuple[Network, ...] = ()


def opened(front: Front) -> bytes:
    plain = {
        "name": front.name,
        "protocol": front.protocol.value,
        "address": str(front.address),
        "port": front.port,
        "ways": [
            {
                "name": way.name,
                "terms": {**asdict(way.terms), "proxy": way.terms.proxy and way.terms.proxy.value},
                "prefix": way.prefix,
                "servers": [
                    [each.name, str(each.address), each.port, each.source and str(each.source)] for each in way.servers
                ],
            }
            for way in front.ways
        ],
        "origins": [str(each) for each in front.origins],
    }
    return _packed({"do": "open", "front": plain})


def weighed(name: str, weights: Weights) -> bytes:
    return _packed({"do": "weigh", "name": name, "weights": weights})


def closed(name: str) -> bytes:
    """Take nothing new on this front; what it has is drained."""
    return _packed({"do": "close", "name": name})


def stop() -> bytes:
    """End now, and reset what there is."""
    return _packed({"do": "stop"})


def figures(by_way: Mapping[str, Mapping[str, object]]) -> list[bytes]:
    """Also the relay's heartbeat, so there is always one. Each stands for itself: of many ways a part may be lost."""
    ways = list(by_way.items())
    starts = range(0, max(len(ways), 1), TOLD_TOGETHER)
    return [_packed({"say": "figures", "ways": dict(ways[start : start + TOLD_TOGETHER])}) for start in starts]


def said(words: str) -> bytes:
    """For the log."""
    return _packed({"say": "words", "words": words})


def parts(message: bytes) -> list[bytes]:
    """What is sent of it, one after the other: each says whether there is more to come."""
    *rest, last = (message[start : start + PART] for start in range(0, max(len(message), 1), PART))
    return [*(_MORE + each for each in rest), _LAST + last]


class Joined:
    """The other end of `parts`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> bytes | None:
        """The whole message, once this part was its last one."""
        self._parts.append(part[1:])
        if part[:1] == _MORE:
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


def read(message: bytes) -> dict[str, Any]:
    plain = json.loads(message)
    assert isinstance(plain, dict)
    return plain


def heard(message: bytes) -> dict[str, dict[str, Any]] | str:
    """What the relay tells: its figures by way (`account.Account.figures`), or words for the log. Raises ValueError."""
    plain = json.loads(message)
    match plain:
        case {"say": "words", "words": str(words)} if words.isprintable() and len(words) <= _WORDS:
            return words
        case {"say": "figures", "ways": dict(ways)} if all(map(_are_figures, ways.values())):
            return ways
    raise ValueError("neither figures nor words")


def _are_figures(told: object) -> bool:
    if not isinstance(told, dict) or told.keys() != {*COUNTS, "refused"}:
        return False
    refused = told["refused"]
    if not isinstance(refused, dict) or refused.keys() != REASONS.keys():
        return False
    return all(
        type(each) is int and 0 <= each < _COUNTED for each in (*(told[name] for name in COUNTS), *refused.values())
    )


def front(plain: Mapping[str, Any]) -> Front:
    """From what `opened` has made of it."""
    return Front(
        plain["name"],
        Protocol(plain["protocol"]),
        ip_address(plain["address"]),
        plain["port"],
        tuple(
            Way(
                each["name"],
                Terms(**{**each["terms"], "proxy": each["terms"]["proxy"] and Proxy(each["terms"]["proxy"])}),
                tuple(
                    Server(name, ip_address(address), port, source and ip_address(source))
                    for name, address, port, source in each["servers"]
                ),
                each["prefix"],
            )
            for each in plain["ways"]
        ),
        tuple(ip_network(each) for each in plain["origins"]),
    )


def pair() -> tuple[socket.socket, socket.socket]:
    """The director's end, which does not block, and the relay's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for each in (ours, theirs):
        each.setblocking(False)
    return ours, theirs


def _packed(plain: Mapping[str, object]) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode()
