"""The keys' files, read. What is wrong with one is a mistake at the place where the file is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman import keyfile
from haman.config.mistakes import Finding
from haman.model.authentication import Credentials, Key

if TYPE_CHECKING:
    from haman.model.authentication import Authentication

SHORTEST, LONGEST = 32, 64
"""Bytes of a secret, as keepalived has it: 32 keep 128 bits of strength even against a quantum search, and 64 are a
block of SHA-256."""


def read(authentication: Authentication) -> tuple[Credentials | None, list[Finding]]:
    """None if anything is wrong."""
    keys, findings = [], []
    for index, key in enumerate(authentication.keys):
        try:
            secret = keyfile.read(key.path, SHORTEST, LONGEST)
        except keyfile.KeyUnusable as error:
            findings.append(Finding(("authentication", "keys", index, "file"), f"{key.path} {error.what}", error.cure))
        else:
            keys.append(Key(number=key.number, secret=secret.hex()))
    if findings:
        return None, findings
    return (
        Credentials(keys=tuple(keys), send=authentication.send, mode=authentication.mode, window=authentication.window),
        [],
    )
