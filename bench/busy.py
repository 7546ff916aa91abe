"""Load for a machine that is to be busy: `python -m bench.busy loop`, or `director FILE`.

loop           counts for ever: a program that wants all of a processor
director FILE  the director's kinds of work as far as they need no IPVS: the checks of this configuration, and
               beside them, in a thread, its whole table again and again: wanted, compared with an empty kernel,
               and written as netlink messages that nobody gets
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from haman import config
from haman.director.checks import Checks
from haman.health.board import Board
from haman.kernel.ipvs import encode
from haman.model.kernel import Kernel, SysctlKey
from haman.observe.tally import Tally
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ownership import of_director
from haman.probes.budget import budget_for

if TYPE_CHECKING:
    from haman.model.cluster import Cluster


def loop() -> None:
    while True:
        pass


async def director(cluster: Cluster, node: str) -> None:
    services = {service.name: service for service in cluster.services_of(node)}
    board = Board(services, {}, time.monotonic())
    checks = Checks(board, Tally(), lambda _: None, lambda _: None, lambda: None)
    questions = checks.add(services.values())
    checks.start(asyncio.get_running_loop(), budget_for(questions))
    while True:
        await asyncio.to_thread(plan, cluster, node)


def plan(cluster: Cluster, node: str) -> int:
    """All that comes before the kernel when a configuration is new to it. Returns how many bytes it would get."""
    weights = {target: server.weight for service in cluster.services_of(node) for target, server in service.targets()}
    wanted = desired.ipvs(cluster, node, weights)
    ops = diff(wanted, Kernel(), of_director(cluster, node, ()))
    return sum(len(encode.command(op)[1]) for op in ops if not isinstance(op.key, SysctlKey))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["loop", "director"])
    parser.add_argument("file", nargs="?", type=Path)
    options = parser.parse_args()
    if options.kind == "loop":
        loop()
    else:
        asyncio.run(director(config.load(options.file), "d1"))


if __name__ == "__main__":
    main()
