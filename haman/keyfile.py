"""A secret in a file: read, with what makes it one. Nobody but its owner may be able to read it, or it is refused."""

from __future__ import annotations

import binascii
import os
import stat

LARGEST = 1024
"""Bytes that are read: more is no key."""

HEX = b"hex:"
MAKE = "printf hex: > FILE; head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n' >> FILE"


class KeyUnusable(OSError):
    """what: what is wrong with the file. cure: what to do. Neither ever holds any of its content."""

    def __init__(self, path: str, what: str, cure: str) -> None:
        super().__init__(None, f"{what}; {cure}", path)
        self.path = path
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.path} {self.what}; {self.cure}"


def read(path: str, shortest: int, longest: int) -> bytes:
    """The secret: what the file holds without blanks around it, or what its hexadecimal digits behind `hex:` mean, as
    keepalived reads such a file. Lengths in bytes. Raises KeyUnusable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        cure = f"make one: {MAKE}" if isinstance(error, FileNotFoundError) else "let root read it"
        raise KeyUnusable(path, f"cannot be read: {(error.strerror or str(error)).lower()}", cure) from error
    try:
        _judge(path, os.fstat(descriptor))
        content = os.read(descriptor, LARGEST + 1).strip()
    finally:
        os.close(descriptor)
    secret = _meant(path, content)
    if not shortest <= len(secret) <= longest:
        what = f"holds a secret of {len(secret)} bytes, {shortest} to {longest} are wanted"
        if len(content) > LARGEST:
            what = "is too long for a secret"
        raise KeyUnusable(path, what, f"make one: {MAKE}")
    return secret


def _judge(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyUnusable(path, "is no file", "write the secret into a file")
    if status.st_uid not in (0, os.geteuid()):
        raise KeyUnusable(path, f"belongs to user {status.st_uid}, who could change it", f"chown root {path}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise KeyUnusable(path, f"is open to others (mode {mode:04o})", f"chmod 600 {path}")


def _meant(path: str, content: bytes) -> bytes:
    if not content.startswith(HEX):
        return content
    try:
        return binascii.unhexlify(content.removeprefix(HEX).strip())
    except binascii.Error as error:
        raise KeyUnusable(path, "has something else than pairs of hexadecimal digits after 'hex:'", MAKE) from error
