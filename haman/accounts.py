"""As whom operators' programs run: never as root unless that was written, and never root a program others can change.

written in the configuration    that user
nothing, haman not root         haman's own user: it could become no other
nothing, haman root             `haman-hooks` where that user exists, else `nobody`, else nobody at all: not run
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

OWN = "haman-hooks"
"""The user to make for operators' programs alone: `nobody` is shared with whatever else drops its privileges."""

FALLBACK = "nobody"


class Refused(Exception):
    """The program is not run; the text says why."""


def to_run(program: str, written: str | None) -> str | None:
    """As whom `program` is to run: the user's name; None is the one we are. Raises Refused."""
    try:
        user = chosen(written)
    except LookupError as error:
        raise Refused(str(error)) from None
    if (why := unsafe(program, user)) is not None:
        raise Refused(why)
    return user


def chosen(written: str | None) -> str | None:
    """The user's name; None is the one we are. Raises LookupError where there is none to choose."""
    if written is not None:
        return None if written == _myself() else written
    if os.geteuid() != 0:
        return None
    for name in (OWN, FALLBACK):
        if _exists(name):
            return name
    raise LookupError(f"there is neither a user {OWN} nor {FALLBACK}: make one, or write `user`")


def unsafe(program: str, user: str | None) -> str | None:
    """Why `program` may not run as `user` (None: ourselves): somebody who is not root can change what root would run.
    None where that is safe, and for every other user."""
    name = _myself() if user is None else user
    if not _is_root(name):
        return None
    path = Path(program)
    try:
        for each in dict.fromkeys((*_way(path), *_way(path.resolve()))):
            status = each.lstat()
            if status.st_uid != 0:
                return f"it would run as root, and {each} belongs to user {status.st_uid}"
            writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            held = stat.S_ISLNK(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX)
            if writable and not held:  # in a sticky directory nobody replaces what is root's
                return f"it would run as root, and others may write {each}"
    except OSError:
        return None  # it is not there: starting it says so
    return None


def _way(path: Path) -> tuple[Path, ...]:
    return (path, *path.parents)


def _is_root(name: str | None) -> bool:
    try:
        return name is not None and pwd.getpwnam(name).pw_uid == 0
    except KeyError:
        return False


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _myself() -> str | None:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None
