"""Connection sync's defaults: whether it runs, with which number, and over which interface of each director."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.shape.around import Sync

if TYPE_CHECKING:
    from haman.config.shape.file import File
    from haman.config.view import View


def wanted(file: File) -> bool:
    """Left out, it runs where it can be of use: with something to balance, and somebody to tell."""
    if file.sync is None:
        return bool(file.services) and len(file.directors) > 1
    return file.sync is not False


def settings(file: File) -> Sync:
    """What is written, or the defaults."""
    return file.sync if isinstance(file.sync, Sync) else Sync.model_validate({})


def closes(file: File) -> bool:
    """Does a standby schedule nothing?"""
    return wanted(file) and settings(file).backup_only


def interface_for(view: View, director: str) -> str | None:
    """The interface that `director` synchronises over: its own, everybody's, else that of the first router."""
    sync = settings(view.file)
    if director in sync.interfaces:
        return sync.interfaces[director]
    if sync.interface is not None:
        return sync.interface
    first = next(iter(view.file.routers), None)
    seat = view.seats(first).get(director) if first is not None else None
    return seat.interface if seat else None
