"""`haman why OBJECT`: the chain of causes, in sentences, from the same values that status and decisions are made of.

A chain is a list of Lines: what holds, below it why, below that why that. Nothing is guessed: a sentence says what the
election, the checks or the kernel said, with its time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from haman.config.suggest import near
from haman.director.why import routers, services
from haman.observe.objects import known

if TYPE_CHECKING:
    from haman.director.report import View
    from haman.director.why.line import Line
    from haman.observe.history import History


async def answer(asked: dict[str, Any], view: View, history: History) -> dict[str, Any]:
    """asked: `object`. Chains for everything that is called so, as plain JSON values; `at` is wall-clock time since
    which a line holds, or null. `meant` is there when nothing is: what may have been meant, or null."""
    word = asked.get("object")
    word = word if isinstance(word, str) else ""
    found = chains(word, view, history)
    plain: dict[str, Any] = {
        "object": word,
        "node": view.node,
        "now": view.at,
        "chains": [[{"text": each.text, "depth": each.depth, "at": each.at} for each in chain] for chain in found],
    }
    if not found:
        # Of 10,000 servers there are 30,000 names: to compare them takes seconds.
        plain["meant"] = await asyncio.to_thread(near, word, known(view.cluster, view.node))
    return plain


def chains(word: str, view: View, history: History) -> list[list[Line]]:
    """word: a router, group, service, server (`web/rs1:80`, `web/rs1`, `rs1`), VIP, or server's address."""
    cluster, node = view.cluster, view.node
    here = {router.name: router for router in cluster.routers_of(node)}
    found = [list(routers.router(view, history, router)) for name, router in here.items() if name == word]
    found += [list(routers.group(view, history, group)) for group in cluster.groups_of(node) if group.name == word]
    found += [
        list(routers.vip(view, history, router, address))
        for router in here.values()
        for address in router.addresses_on(node)
        if word in (str(address.ip), str(address.interface))
    ]
    for service in cluster.checked_of(node):
        if service.name == word:
            owner = cluster.services[service.name.partition("@")[0]]  # of a backup, which is told of there
            found.append(list(services.service(view, history, owner)))
        for target, server in service.targets():
            names = (str(target), f"{target.service}/{target.server}", target.server, str(server.address))
            if word in names:
                found.append(list(services.server(view, history, service, target, server)))
    return found
