"""Inputs near to valid ones: what chance alone would not get past the first check of a parser.

All follows from one random.Random, so a seed says everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

SPECIAL = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\x00\x00", b"\xff\xff", b"\x7f\xff", b"\x80\x00", bytes(4))
WORDS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-",
    b'"',
    b"true",
    b"null",
    b"1e9",
    b"NaN",
    b"\\u0000",
    b"\r\n",
    b"\n",
    b"\r",
)
NUMBERS = (b"0", b"9", b"00", b"1_0", b"-1", b"1.0", b"true", b'""', b"99999999999999999999")
_MOST = 4
"""Changes made to one input: more, and little of what was valid is left."""
_LONGEST = 4096


def mutated(random: random.Random, vectors: Sequence[bytes]) -> bytes:
    """One of the vectors with one to four changes; now and then with none, or with nothing of it left."""
    if random.random() < 0.02:
        return random.randbytes(random.randrange(200))
    data = bytearray(random.choice(vectors))
    for _ in range(random.randint(0, _MOST)):
        random.choice(_CHANGES)(random, data, vectors)
    return bytes(data[:_LONGEST])


def _flip(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _overwrite(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    special, at = random.choice(SPECIAL), random.randint(0, len(data))
    data[at : at + len(special)] = special


def _insert(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.choice((random.choice(SPECIAL), random.choice(WORDS), random.randbytes(random.randint(1, 8))))


def _replace_number(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    """A digit, or a whole word of a text, by another."""
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if digits:
        at = random.choice(digits)
        data[at : at + 1] = random.choice(NUMBERS)


def _delete(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    start, end = _slice(random, data)
    del data[start:end]


def _repeat(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    start, end = _slice(random, data)
    data[start:start] = data[start:end]


def _cut(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    del data[random.randint(0, len(data)) :]


def _splice(random: random.Random, data: bytearray, vectors: Sequence[bytes]) -> None:
    """A piece of another vector at any place."""
    other = random.choice(vectors)
    start, end = _slice(random, other)
    at = random.randint(0, len(data))
    data[at : at + random.choice((0, end - start))] = other[start:end]


def _slice(random: random.Random, data: bytes | bytearray) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.randint(0, 16))


_CHANGES: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip, _flip, _set, _set, _overwrite, _insert, _replace_number, _delete, _repeat, _cut, _splice,
)  # fmt: skip
