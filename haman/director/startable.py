"""Which of the operator's programs could not be started on this machine: looked for before one is needed.

Only what can be seen without starting it: the file, its permissions, its interpreter, its user. Another machine may be
as it should, so this is said to whoever reads the configuration here, and refuses nothing.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from haman import accounts
from haman.model.checks import ScriptProbe
from haman.model.trackers import ScriptWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.model.cluster import Cluster

LONGEST = 256
"""Bytes of a first line that the kernel reads for the interpreter (BINPRM_BUF_SIZE)."""


def findings(cluster: Cluster, node: str) -> Iterator[str]:
    """One sentence for each program that this director is to start, and cannot."""
    for what, program, written in dict.fromkeys(_programs(cluster, node)):
        try:
            why = obstacle(program, accounts.chosen(written))
        except LookupError as error:
            why = str(error)
        if why is not None:
            yield f"{what}: {program} cannot be started here: {why}"


def _programs(cluster: Cluster, node: str) -> Iterator[tuple[str, str, str | None]]:
    for service in cluster.checked_of(node):
        check = service.check
        if check is not None and isinstance(check.probe, ScriptProbe):
            yield f"check {check.name}", check.probe.argv[0], check.probe.user
    for tracker in cluster.trackers_of(node):
        if isinstance(tracker.watched, ScriptWatch):
            yield f"tracker {tracker.name}", tracker.watched.argv[0], tracker.watched.user
    for hook in cluster.hooks:
        yield "hook", hook.argv[0], hook.user


def obstacle(program: str, user: str | None) -> str | None:
    """Why `program` cannot be started as `user` (None: as whoever asks), or None."""
    path = Path(program)
    try:
        status = path.stat()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if not stat.S_ISREG(status.st_mode):
        return "it is no file"
    if not status.st_mode & 0o111:
        return f"it is not executable (chmod +x {program})"
    if user is not None:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            return f"there is no user '{user}'"
        for each in (*reversed(path.parents), path):
            if not _may_execute(each, entry):
                return f"user {user} has no right to {'execute it' if each == path else f'enter {each}'}"
    return accounts.unsafe(program, user) or _interpreter(path)


def _may_execute(path: Path, entry: pwd.struct_passwd) -> bool:
    try:
        status = path.stat()
    except OSError:
        return True  # not ours to see either
    if entry.pw_uid == 0:
        return True
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid in os.getgrouplist(entry.pw_name, entry.pw_gid):
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _interpreter(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            first = file.read(LONGEST)
    except OSError:
        return None  # a program need not be readable
    words = first[2:].split(b"\n", 1)[0].split() if first.startswith(b"#!") else []
    if words and not Path(os.fsdecode(words[0])).exists():
        return f"its interpreter {os.fsdecode(words[0])} does not exist"
    return None
