"""haman with one fault planted in it: `python -m haman.lab.planted FAULT run --config FILE`.

One function is exchanged before anything starts, in the elector (`run`) or in the director, which the elector then
starts by this same module. Production code knows nothing of this, and nothing of it is imported there.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from haman.elector import child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from haman.kernel.addresses import Addresses
    from haman.kernel.refusal import Refusal
    from haman.model.elector import ElectorConfig
    from haman.plan.ops import Op, Remove

DIRECTOR = "haman.director"


# -- in the elector -------------------------------------------------------------------------------------------------


def no_skew() -> None:
    from haman.election import parameters

    parameters.skew = lambda priority, interval, version=3: 0.0


def abrupt_stop() -> None:
    """What `ip address del` in a stop script does: gone everywhere at once, and nobody told."""
    from haman.elector.process import Elector

    def stop(self: Elector) -> None:
        for router in self._configured.routers if self._configured else ():
            for vip in router.addresses:
                subprocess.run(["ip", "address", "flush", "to", f"{vip.ip}/32"], check=False)
        self._child.kill("planted")
        os.kill(os.getpid(), signal.SIGKILL)

    Elector._stop = stop  # type: ignore[method-assign]


def director_is_all() -> None:
    from haman.elector.process import Elector

    def gone(self: Elector, why: str, code: int | None) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    Elector.child_gone = gone  # type: ignore[method-assign]


def open_standby() -> None:
    from haman.model.kernel import BACKUP_ONLY
    from haman.plan import desired

    desired._gate = lambda config, holding: iter([(BACKUP_ONLY.path, "0")] if config.opens else ())


def arbiter_ignored() -> None:
    from haman.election import gate

    gate.needed = lambda standby: False


def addresses_unwatched() -> None:
    from haman.elector.keeper import Keeper

    async def watch(self: Keeper) -> None:
        await asyncio.Event().wait()

    Keeper.watch = watch  # type: ignore[method-assign]


def no_probes() -> None:
    from haman.wire import neighbours

    neighbours.probe = lambda hardware, vip, own: None


# -- in the director ------------------------------------------------------------------------------------------------


def unloaded() -> None:
    """Sync daemons and settings are as they should be, only services and servers never get into the kernel."""
    from haman.kernel.ipvs import Ipvs
    from haman.model.kernel import DestinationKey, ServiceKey

    honest = Ipvs.apply

    async def apply(self: Ipvs, ops: Sequence[Op]) -> list[Refusal]:
        return await honest(self, [op for op in ops if not isinstance(op.key, ServiceKey | DestinationKey)])

    Ipvs.apply = apply  # type: ignore[method-assign]


def no_withdrawal() -> None:
    from haman.director import withdraw

    async def nothing(addresses: Addresses, config: ElectorConfig) -> tuple[list[Remove], list[Refusal]]:
        return [], []

    withdraw.withdraw = nothing


def table_unwatched() -> None:
    from haman.director.looking import Looking

    async def look(self: Looking, loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.Event().wait()

    Looking._look = look  # type: ignore[method-assign]


def unscreened() -> None:
    from haman.plan import filter

    filter._screens = lambda service, node: False


def no_second_chance() -> None:
    from haman.plan import filter

    filter._second_chances = lambda *_: iter(())


def hook_forgotten() -> None:
    from haman.director import news

    honest = news.concerns
    news.concerns = lambda hook, subject: subject.sort is not news.Sort.SPLIT and honest(hook, subject)


def greedy() -> None:
    from haman.model.kernel import DestinationKey, ServiceKey
    from haman.plan.ownership import Ownership

    def contains(self: Ownership, key: object) -> bool:
        return isinstance(key, ServiceKey | DestinationKey) or modest(self, key)  # type: ignore[arg-type]

    modest = Ownership.__contains__
    Ownership.__contains__ = contains  # type: ignore[method-assign]


IN_ELECTOR: dict[str, Callable[[], None]] = {
    "no-skew": no_skew,
    "abrupt-stop": abrupt_stop,
    "director-is-all": director_is_all,
    "no-drift-repair": addresses_unwatched,
    "open-standby": open_standby,
    "no-probes": no_probes,
    "arbiter-ignored": arbiter_ignored,
}
IN_DIRECTOR: dict[str, Callable[[], None]] = {
    "standby-unloaded": unloaded,
    "no-withdrawal": no_withdrawal,
    "no-drift-repair": table_unwatched,
    "greedy": greedy,
    "unscreened": unscreened,
    "no-second-chance": no_second_chance,
    "hook-forgotten": hook_forgotten,
}


def main(fault: str, arguments: list[str]) -> None:
    """Plant the fault in the process that this is, and be that process."""
    if arguments[0] == DIRECTOR:
        module, sys.argv = DIRECTOR, arguments
        plant = IN_DIRECTOR.get(fault)
    else:
        module, sys.argv = "haman", ["haman", *arguments]
        plant = IN_ELECTOR.get(fault)
        _plant_in_the_child(fault)
    if plant:
        plant()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _plant_in_the_child(fault: str) -> None:
    """The elector starts its director by way of this module."""
    honest = child.command

    def command(config: Path, node: str | None) -> list[str]:
        python, _, module, *rest = honest(config, node)
        return [python, "-m", "haman.lab.planted", fault, module, *rest]

    child.command = command


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
