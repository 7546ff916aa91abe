"""Writing and reading a large IPVS table: 1,000 services with 10 servers each, haman's netlink against ipvsadm.

Writing: from the list of operations to a kernel that holds them, starting from an empty table; `ipvsadm -R` reads the
same table as text from a file. Reading: everything the kernel says of it, as objects; `ipvsadm -Ln` prints it to
/dev/null. By turns, and writing on a fresh host each. ipvsadm starts anew for each: its start, some milliseconds, is in
its numbers.

Below them, with no peer: one whole turn of the director (the table it wants, a dump of what is there, the difference,
writing it), and the look it takes twice a second for what somebody else may have changed.

How to read it: in user mode system calls are dear, and ipvsadm makes two for each object; on iron the ratio of writing
is nearer to one than here, that of reading is not.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from bench import clusters, session
from bench.figures import OURS, Goal, Measurement, Row, median
from haman.errors import LabError
from haman.kernel.ipvs import Ipvs
from haman.lab.hosts import Network
from haman.model.kernel import Kernel, SysctlKey
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ownership import of_director

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.model.cluster import Cluster
    from haman.plan.ops import Op

SERVICES, SERVERS = 1000, 10
ROUNDS: Final = 5
PEER = "ipvsadm"
NODE = "d1"
WRITE, READ = f"writing {SERVICES:,} x {SERVERS}", f"reading {SERVICES:,} x {SERVERS}"
TURN, LOOK = "planning and writing it", "looking for drift"


def measure(work: Path) -> Measurement:
    samples: dict[tuple[str, str], list[float]] = {}
    model = clusters.write(work / "large.yaml", advert="1s", services=SERVICES, servers=SERVERS)
    for number in range(ROUNDS):
        taken = _round(model, work / "saved")
        for key, seconds in taken.items():
            samples.setdefault(key, []).append(seconds)
        words = ", ".join(f"{who} {what} {seconds:.3f} s" for (what, who), seconds in taken.items())
        session.say(f"round {number + 1}: {words}")
    goals = {WRITE: Goal(ratio=0.1), READ: Goal(ratio=0.5)}
    rows = [
        Row(
            what=what,
            unit="s",
            cells={who: median(samples[what, who]) for who in (OURS, PEER) if (what, who) in samples},
            goal=goals.get(what),
        )
        for what in (WRITE, READ, TURN, LOOK)
    ]
    return Measurement(
        name="programming",
        title="A table of 10,000 servers",
        statistic=f"median of {ROUNDS} (smallest - largest)",
        rows=tuple(rows),
        conditions=session.versions(PEER),
    )


def _round(model: Cluster, saved: Path) -> dict[tuple[str, str], float]:
    """Each of them once. Seconds by row and program.

    Every writer gets a host whose table was never written to: for two minutes the kernel keeps what was removed, and
    for each new server looks through all of that.
    """
    taken: dict[tuple[str, str], float] = {}
    with Network() as network:
        lan = network.segment("lan")
        one, other, third = (network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}) for n, name in enumerate("abc", 1))
        one.call(_in_loop, _write(model), taken)
        one.call(_in_loop, _read, taken)
        taken[READ, PEER] = _run(one, [PEER, "-Ln"])
        with saved.open("w") as file:
            one.call(subprocess.run, [PEER, "-Sn"], stdout=file, check=True)
        taken[WRITE, PEER] = _run(other, [PEER, "-R"], saved)
        third.call(_in_loop, _turn(model), taken)
    return taken


def _in_loop(
    work: Callable[[Ipvs, dict[tuple[str, str], float]], Coroutine[Any, Any, None]],
    taken: dict[tuple[str, str], float],
) -> None:
    async def run() -> None:
        table = Ipvs()
        try:
            await work(table, taken)
        finally:
            table.close()

    asyncio.run(run())


def _wanted(model: Cluster) -> Kernel:
    weights = {target: server.weight for service in model.services_of(NODE) for target, server in service.targets()}
    return desired.ipvs(model, NODE, weights)


def _operations(model: Cluster, wanted: Kernel, actual: Kernel) -> list[Op]:
    """Of the table alone: the settings below /proc/sys are another matter."""
    return [op for op in diff(wanted, actual, of_director(model, NODE, ())) if not isinstance(op.key, SysctlKey)]


def _write(model: Cluster) -> Callable[[Ipvs, dict[tuple[str, str], float]], Coroutine[Any, Any, None]]:
    async def work(table: Ipvs, taken: dict[tuple[str, str], float]) -> None:
        ops = _operations(model, _wanted(model), Kernel())
        begun = time.perf_counter()
        refused = await table.apply(ops)
        taken[WRITE, OURS] = time.perf_counter() - begun
        if refused:
            raise LabError(f"the kernel refused {len(refused)} operations: {refused[0].error}")

    return work


async def _read(table: Ipvs, taken: dict[tuple[str, str], float]) -> None:
    begun = time.perf_counter()
    held = await table.snapshot()
    taken[READ, OURS] = time.perf_counter() - begun
    if len(held.destinations) != SERVICES * SERVERS:
        raise LabError(f"{len(held.destinations)} servers in the table")
    begun = time.perf_counter()
    table.digest()
    taken[LOOK, OURS] = time.perf_counter() - begun


def _turn(model: Cluster) -> Callable[[Ipvs, dict[tuple[str, str], float]], Coroutine[Any, Any, None]]:
    async def work(table: Ipvs, taken: dict[tuple[str, str], float]) -> None:
        begun = time.perf_counter()
        actual = await table.snapshot()
        await table.apply(_operations(model, _wanted(model), actual))
        taken[TURN, OURS] = time.perf_counter() - begun

    return work


def _run(host: Host, words: list[str], stdin: Path | None = None) -> float:
    """How long a program takes, from its start to its end, its output thrown away."""

    def run() -> float:
        source = stdin.open() if stdin else subprocess.DEVNULL
        begun = time.perf_counter()
        subprocess.run(words, stdin=source, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - begun

    return host.call(run)


if __name__ == "__main__":
    sys.exit(session.main("programming", measure, timeout=400))
