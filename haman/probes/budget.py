"""File descriptors that all checks together may hold: a check waits its turn instead of failing for want of one."""

from __future__ import annotations

import resource

RESERVE = 256
"""Descriptors left for everything else: links, sockets, hooks' pipes, clients of metrics and control socket."""

MAXIMUM = 4096


class Budget:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0

    def take(self) -> bool:
        """One descriptor; False when none is left."""
        if self.used >= self.capacity:
            return False
        self.used += 1
        return True

    def give(self) -> None:
        self.used -= 1


def budget_for(checks: int) -> Budget:
    """A budget for that many different checks, inside this process's limit (see `capacity_for`)."""
    return Budget(capacity_for(checks))


def capacity_for(checks: int) -> int:
    """Descriptors for that many different checks.

    The soft limit is raised, as far as the hard one allows, only when the checks need it: hooks inherit it, and
    old programs (select) do not work with descriptors past 1024.
    """
    wanted = min(checks, MAXIMUM)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + RESERVE if hard == resource.RLIM_INFINITY else min(wanted + RESERVE, hard)
    if most > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    room = wanted if soft == resource.RLIM_INFINITY else soft - RESERVE
    return max(16, min(wanted, room))
