"""What directors tell each other as datagrams: `HMN`, version, 32 bytes of HMAC-SHA256, then JSON.

The HMAC is over all but itself, with a key of the cluster; without one it is zero. Who has keys believes nothing
that is not signed with one of them, unless asked to; who has none cannot judge a signature, and says so. Nothing in
here is secret. No signature of this can pass for one of VRRP's, with the same key: what that signs begins with 4 or 6.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from haman.errors import BadPacket
from haman.model.ballot import Poll, Vote, Wanted
from haman.model.sites import Order
from haman.model.standing import Connections, Shares, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAGIC = b"HMN\x01"
_SIGNATURE = hashlib.sha256().digest_size
_UNSIGNED = bytes(_SIGNATURE)
LIMIT = 60_000
"""Bytes of the longest datagram. What is too long leaves out words, see `encode`."""

WORDS = 120
"""Characters of a reason that are sent."""


LONGEST = 40.95
"""Seconds: the longest interval that an advertisement has room for."""

MACS = 64
"""MAC addresses of one director that are believed."""

_MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NUMERAL = re.compile("0|[1-9][0-9]*")


class Reason(Enum):
    FOREIGN = "not a director's"
    VERSION = "another version of haman"
    UNSIGNED = "not signed, and there is a key here"
    NO_KEY = "signed, and there is no key here"
    SIGNATURE = "signed with another key"
    UNREADABLE = "unreadable"
    STALE = "signed at another time than now: see whether the clocks agree (NTP), or 'window'"
    REPLAY = "said before"


Said = Standing | Shares | Poll | Vote
"""All that directors tell each other."""


class Heard(NamedTuple):
    """sent: the sequence number it is signed with, see `wire.freshness`; 0 without. doubt: what is wrong with its
    signature where that is no reason to refuse it."""

    said: Said
    sent: int
    doubt: Reason | None = None


def encode(said: Said, key: bytes | None, sent: int = 0) -> bytes:
    """One datagram. A standing has at most LIMIT bytes: with thousands of routers the reasons and the counts of
    connections give way, which ones wait does not. How many shares go into one is the sender's to choose."""
    if isinstance(said, Poll | Vote):
        return _sealed({"about": type(said).__name__.lower(), **_ballot(said)}, key, sent)
    if isinstance(said, Shares):
        return _sealed({each.name: getattr(said, each.name) for each in fields(said)}, key, sent)
    datagram = _standing_datagram(said, WORDS, key, sent)
    return datagram if len(datagram) <= LIMIT else _standing_datagram(said, 0, key, sent)


def decode(datagram: bytes, keys: Sequence[bytes], *, enforced: bool = True) -> Heard:
    """keys: all that are believed. enforced: a signature that is missing or wrong is a reason to refuse. Raises
    BadPacket with a Reason; nothing of the content is looked at before its signature was."""
    body = datagram[len(MAGIC) + _SIGNATURE :]
    if not body or datagram[:3] != MAGIC[:3]:
        raise BadPacket(Reason.FOREIGN)
    if datagram[3] != MAGIC[3]:
        raise BadPacket(Reason.VERSION)
    signature = datagram[len(MAGIC) : len(MAGIC) + _SIGNATURE]
    doubt = _doubt(body, signature, keys)
    if doubt is not None and (enforced or doubt is Reason.NO_KEY):
        raise BadPacket(doubt)
    try:
        content = json.loads(body)
        said = _said(content)
        return Heard(said, _count(content.get("sent", 0), bits=64), doubt)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadPacket(Reason.UNREADABLE, repr(error)) from error


def _said(content: Any) -> Said:
    match content.get("about"):
        case None:
            return _shares(content) if "of" in content else _standing(content)
        case "poll":
            return _poll(content)
        case "vote":
            return _vote(content)
        case other:
            raise ValueError(f"about {other!r}")


def _doubt(body: bytes, signature: bytes, keys: Sequence[bytes]) -> Reason | None:
    if signature == _UNSIGNED:
        return Reason.UNSIGNED if keys else None
    if not keys:
        return Reason.NO_KEY
    right = any(hmac.compare_digest(signature, _sign(body, key)) for key in keys)
    return None if right else Reason.SIGNATURE


def _standing_datagram(standing: Standing, words: int, key: bytes | None, sent: int) -> bytes:
    """words: characters of each reason; 0: leave out what can be left out."""
    content = {each.name: getattr(standing, each.name) for each in fields(standing)}
    content["waiting"] = {router: why[:words] for router, why in standing.waiting.items()}
    counts = standing.connections.items() if words else ()
    content["connections"] = {router: (count.established, count.others) for router, count in counts}
    return _sealed(content, key, sent)


def _sealed(content: dict[str, Any], key: bytes | None, sent: int) -> bytes:
    stamped = content | {"sent": sent} if sent else content
    body = json.dumps(stamped, separators=(",", ":")).encode()
    return MAGIC + (_sign(body, key) if key is not None else _UNSIGNED) + body


def _sign(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, MAGIC + body, "sha256")


def _standing(content: Any) -> Standing:
    return Standing(
        cluster=_text(content["cluster"]),
        node=_text(content["node"]),
        life=_count(content["life"]),
        number=_count(content["number"]),
        config=_text(content["config"]),
        roles=_texts(content["roles"].items()),
        waiting=_texts(content["waiting"].items()),
        macs=tuple(_mac(mac) for mac in _list(content.get("macs", []))[:MACS]),  # an older haman tells none
        sites={
            _text(service): (_count(serving), _truth(is_open), Order(order).value)
            for service, (serving, is_open, order) in content.get("sites", {}).items()
        },
        hearing=tuple(map(_text, _list(content.get("hearing", [])))),  # nor this
        giving=_texts(content.get("giving", {}).items()),  # nor this
        expecting=tuple(map(_text, _list(content["expecting"]))) if "expecting" in content else None,
        connections={
            _text(router): Connections(_count(established), _count(others))
            for router, (established, others) in content.get("connections", {}).items()
        },
        arbiter=None if (reached := content.get("arbiter")) is None else _truth(reached),
    )


def _shares(content: Any) -> Shares:
    return Shares(
        cluster=_text(content["cluster"]),
        node=_text(content["node"]),
        life=_count(content["life"]),
        number=_count(content["number"]),
        config=_text(content["config"]),
        of={
            _text(service): {
                _numeral(front): tuple((_count(number), _count(weight)) for number, weight in _list(servers))
                for front, servers in fronts.items()
            }
            for service, fronts in content["of"].items()
        },
    )


def _ballot(said: Poll | Vote) -> dict[str, Any]:
    content = {each.name: getattr(said, each.name) for each in fields(said)}
    if isinstance(said, Poll):
        content["wanted"] = said.wanted.value
    else:
        content["why"] = said.why[:WORDS]
    return content


def _poll(content: Any) -> Poll:
    return Poll(
        cluster=_text(content["cluster"]),
        node=_text(content["node"]),
        number=_count(content["number"]),
        wanted=Wanted(content["wanted"]),
        router=_text(content["router"]),
        priority=_count(content["priority"], bits=8),
        ready=_truth(content["ready"]),
        interval=_interval(content.get("interval", 0.0)),
        life=_count(content.get("life", 0)),
        heard=_count(content.get("heard", 0)),
    )


def _vote(content: Any) -> Vote:
    return Vote(
        cluster=_text(content["cluster"]),
        node=_text(content["node"]),
        number=_count(content["number"]),
        yes=_truth(content["yes"]),
        why=_text(content["why"]),
    )


def _mac(value: Any) -> str:
    """What becomes part of a packet-filter rule is nothing but a MAC address."""
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise ValueError(f"{value!r} is no MAC address")
    return value


def _text(value: Any) -> str:
    """Printable, so that nobody's terminal obeys a peer."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{value!r} is no text")
    return value


def _texts(items: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in items}


def _interval(value: Any) -> float:
    """Seconds; for longer than an advertisement can say nobody's vote is bound by it."""
    if type(value) not in (int, float) or not 0 <= value <= LONGEST:
        raise ValueError(f"{value!r} is no interval")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value


def _numeral(value: str) -> int:
    """A count as the name of a field: written in one way, so that no two fields are one."""
    if not _NUMERAL.fullmatch(value):
        raise ValueError(f"{value!r} is no count")
    return _count(int(value))


def _count(value: Any, bits: int = 63) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise ValueError(f"{value!r} is no count")
    return value
