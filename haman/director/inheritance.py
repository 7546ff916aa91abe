"""Whose health does a server of a new configuration take over? Pure.

A server's health is evidence about an address and port, got by a question. So what counts is, in this order: the same
target at the same address (its check may be another one: the old verdict holds until the new check has spoken); the
same question, whatever server and service are called now; the same place in the kernel's table. A server that moved
to another address is another server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.plan.identity import service_key
from haman.probes.question import Question

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from haman.model.addresses import Address
    from haman.model.services import Server, Service, Target


def heirs(old: Iterable[Service], new: Iterable[Service]) -> dict[Target, Target]:
    """By new target, the old one it follows. Targets that nobody asked for before are left out."""
    addresses: dict[Target, Address] = {}
    known: dict[Hashable, Target] = {}
    for service in old:
        for target, server in service.targets():
            addresses[target] = server.address
            for mark in _marks(service, target, server):
                known.setdefault(mark, target)
    found = {}
    for service in new:
        for target, server in service.targets():
            if addresses.get(target) == server.address:
                found[target] = target
                continue
            for mark in _marks(service, target, server):
                if mark in known:
                    found[target] = known[mark]
                    break
    return found


def _marks(service: Service, target: Target, server: Server) -> Iterator[Hashable]:
    if service.check is not None:
        yield Question.about(target, server, service.check)
    for front in service.fronts:
        if service.target(server, front) == target:
            yield service_key(service, front), server.address, target.port


def same_question(old: Service, old_target: Target, new: Service, new_target: Target) -> bool:
    """Does the same check ask the same of both?"""
    return _question(old, old_target) == _question(new, new_target)


def _question(service: Service, target: Target) -> Question | None:
    if service.check is None:
        return None
    return Question.about(target, service.servers[target.server], service.check)
