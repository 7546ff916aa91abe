from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from haman.director import traffic as module
from haman.director.traffic import TrafficReader
from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.ipvs.decode import Traffic
from haman.model.kernel import DestinationKey, ServiceKey
from haman.model.services import Protocol
from tests.director.support import cluster, service

if TYPE_CHECKING:
    import pytest

    from haman.model.cluster import Cluster
    from haman.observe.figures import Traffic as Named

WEB = service()
KEY = ServiceKey.at(Protocol.TCP, WEB.address, 80)  # type: ignore[arg-type]
RS1 = DestinationKey(KEY, WEB.servers["rs1"].address, 80)
FOREIGN = ServiceKey.at(Protocol.UDP, WEB.address, 53)  # type: ignore[arg-type]


class Kernel:
    def __init__(self) -> None:
        self.reads = self.opened = self.closed = 0
        self.refuses = False

    def open(self) -> Kernel:
        self.opened += 1
        return self

    async def counters(self) -> dict[ServiceKey | DestinationKey, Traffic]:
        self.reads += 1
        if self.refuses:
            raise KernelRefused("dump", 1)
        return {KEY: Traffic(1, 2, 3, 4, 5), RS1: Traffic(6, 7, 8, 9, 10), FOREIGN: Traffic(0, 0, 0, 0, 0)}

    def close(self) -> None:
        self.closed += 1


def read(kernel: Kernel, times: int = 1, of: Cluster | None = None) -> list[Named | None]:
    async def inside() -> list[Named | None]:
        reader = TrafficReader(of or cluster(), "lb1", kernel.open)
        found = [await reader.read() for _ in range(times)]
        reader.close()
        return found

    return asyncio.run(inside())


def test_ours_by_name_and_nobody_elses() -> None:
    kernel = Kernel()
    (found,) = read(kernel)
    assert found is not None
    assert found.services == {("web", 80): Traffic(1, 2, 3, 4, 5)}
    assert found.servers == {("web", 80, "rs1"): Traffic(6, 7, 8, 9, 10)}
    assert kernel.closed == kernel.opened == 1


def test_many_scrapers_are_one_reading() -> None:
    kernel = Kernel()
    read(kernel, times=5)
    assert kernel.reads == 1


def test_after_the_last_service_nothing_is_counted() -> None:
    async def inside() -> None:
        reader = TrafficReader(cluster(), "lb1", Kernel().open)
        assert await reader.read() is not None
        reader.learn(cluster(services={}), "lb1")
        assert await reader.read() is None
        reader.close()

    asyncio.run(inside())


def test_without_services_the_kernel_is_not_asked() -> None:
    kernel = Kernel()
    assert read(kernel, of=cluster(services={})) == [None]
    assert kernel.opened == 0


def test_a_kernel_that_does_not_tell_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    kernel = Kernel()
    kernel.refuses = True
    assert read(kernel, times=2) == [None, None]
    assert (kernel.opened, kernel.closed) == (2, 2)

    def missing() -> Kernel:
        raise KernelUnavailable("no IPVS")

    kernel.open = missing  # type: ignore[method-assign]
    assert read(kernel) == [None]
