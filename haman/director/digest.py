"""A short digest by which two directors see whether they live by the same file."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.model.cluster import Cluster

LENGTH = 16
"""Hexadecimal digits: enough to tell two configurations apart, short enough to read out over the telephone."""


def of_cluster(cluster: Cluster) -> str:
    """Of everything that the file means; comments, order of keys and notation make no difference. Takes a while for ten
    thousand servers: call it where that does not matter."""
    digest = hashlib.sha256()
    for part in _parts(cluster):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:LENGTH]


def _parts(value: Any) -> Iterator[str]:
    match value:
        case Enum():
            yield f"{type(value).__name__}.{value.name}"
        case dict():
            yield "{"
            for key in sorted(value):
                yield str(key)
                yield from _parts(value[key])
            yield "}"
        case frozenset():
            yield "<"
            yield from sorted("\0".join(_parts(item)) for item in value)
            yield ">"
        case tuple():
            yield "("
            for item in value:
                yield from _parts(item)
            yield ")"
        case _ if is_dataclass(value):
            yield type(value).__name__
            for field in fields(value):
                yield field.name
                yield from _parts(getattr(value, field.name))
        case _:
            yield repr(value)
