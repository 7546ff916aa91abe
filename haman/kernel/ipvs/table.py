"""`Ipvs`: the table of this network namespace, read, changed and counted without holding the loop for long."""

from __future__ import annotations

import asyncio
import errno
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.ipvs import decode, numbers, proc, servers
from haman.kernel.ipvs.encode import command, service_identity
from haman.kernel.netlink import NETLINK_GENERIC, DumpInterrupted, Netlink, Request, family_number, generic
from haman.kernel.refusal import Refusal
from haman.model.kernel import DaemonKey, DestinationKey, Kernel, ServiceKey, TimeoutsKey
from haman.plan.ops import Remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from haman.kernel.ipvs.decode import Traffic
    from haman.model.standing import Connections
    from haman.plan.ops import Op

T = TypeVar("T")

SLICE = 0.008
"""Seconds of work until the loop gets its turn. Most commands take a few microseconds each, but adding one destination
to a large table of a hashing scheduler, or a new scheduler, takes milliseconds: the size of a batch follows."""

STEPS = 64
"""Objects of a dump between two looks at the clock."""

FIRST_BATCH = 32
ATTEMPTS = 5
"""How often a dump that the kernel calls inconsistent is begun anew."""

_OURS = (ServiceKey, DestinationKey, DaemonKey, TimeoutsKey)
_GONE = (errno.ENOENT, errno.ESRCH)
_HINTS = {
    (ServiceKey, errno.ENOENT): "this kernel lacks the scheduler or the persistence engine",
    (ServiceKey, errno.ESRCH): "it is not there",
    (DestinationKey, errno.ESRCH): "its service is not there",
    (DestinationKey, errno.ENOENT): "it is not there",
    (DestinationKey, errno.EINVAL): "no unicast address, or of another family than its service beside a sync daemon, "
    "or not by tunnel",
    (DaemonKey, errno.EINVAL): "the group is not multicast, or a destination is of another family than its service",
}


class Pace:
    """Says when a long piece of work, done in many small steps, has had its slice of time."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + SLICE
        self._steps = STEPS

    def spent(self, steps: int) -> bool:
        """Called after so many more steps. The clock is not asked every time: where that is a system call it costs
        more than a step."""
        self._steps -= steps
        if self._steps > 0:
            return False
        self._steps = STEPS
        return time.perf_counter() > self._until

    async def give_way(self) -> None:
        await asyncio.sleep(0)
        self._until = time.perf_counter() + SLICE


class Ipvs:
    """The kernel's IPVS. Its methods may be called by several tasks: each waits for the one before it."""

    def __init__(self) -> None:
        """Loads the kernel module if there is one, after which net/ipv4/vs exists. Raises KernelUnavailable."""
        self._netlink = Netlink(NETLINK_GENERIC)
        self._turn = asyncio.Lock()
        try:
            self._family = family_number(self._netlink, numbers.GENL_NAME)
        except KernelUnavailable as error:
            self._netlink.close()
            raise KernelUnavailable(f"{error}; IPVS is the kernel's option CONFIG_IP_VS, module ip_vs") from error

    def close(self) -> None:
        self._netlink.close()

    def digest(self) -> bytes:
        """A value that changes when the table does (see `proc`). Synchronous: about 1 ms per 1,000 destinations.
        Holds no lock and needs no loop, so a large table may be looked at in a thread. Raises KernelRefused."""
        return proc.digest()

    def connections(self) -> dict[ServiceKey, Connections]:
        """By service, how many connections its servers in the table have now. As `digest`, otherwise."""
        return proc.connections()

    async def snapshot(self) -> Kernel:
        """Services, destinations, sync daemons and timeouts. Raises KernelRefused if the kernel does not tell."""
        async with self._turn:
            pace = Pace()
            services = dict(filter(None, await self._dump(numbers.CMD_GET_SERVICE, decode.service, pace)))
            destinations = await self._behind(services, servers.destination, pace)
            daemons = await self._dump(numbers.CMD_GET_DAEMON, decode.daemon, pace)
            answer = self._netlink.ask(self._request(numbers.CMD_GET_CONFIG))
            return Kernel(
                services=services,
                destinations=destinations,
                daemons=dict(daemons),
                timeouts={TimeoutsKey(): decode.timeouts(answer)},
            )

    async def counters(self) -> dict[ServiceKey | DestinationKey, Traffic]:
        """Traffic of every service and destination. Raises KernelRefused if the kernel does not tell."""
        async with self._turn:
            pace = Pace()
            found: dict[ServiceKey | DestinationKey, Traffic] = {}
            services = dict(filter(None, await self._dump(numbers.CMD_GET_SERVICE, decode.service_traffic, pace)))
            found.update(services.items())
            behind = await self._behind(services, servers.destination_traffic, pace)
            found.update(behind.items())
            return found

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """Carries out operations in order, all of them, whatever becomes of each.

        Operations on addresses and sysctls are passed over. Removing what is not there counts as done. A handful of
        operations is in the kernel before this coroutine first gives way.
        """
        ours = [op for op in ops if isinstance(op.key, _OURS)]
        refusals: list[Refusal] = []
        async with self._turn:
            done, size = 0, FIRST_BATCH
            while done < len(ours):
                batch = ours[done : done + min(size, self._netlink.batch)]
                began = time.perf_counter()
                refusals += self._execute(batch)
                spent = time.perf_counter() - began
                done += len(batch)
                size = size * 2 if spent < SLICE / 2 else max(1, int(len(batch) * SLICE / spent))
                if done < len(ours):
                    await asyncio.sleep(0)
        return refusals

    def _execute(self, batch: Sequence[Op]) -> list[Refusal]:
        requests = [self._request(*command(op)) for op in batch]
        try:
            refused = self._netlink.execute(requests)
        except KernelRefused as error:  # nobody knows what became of them; a snapshot tells
            return [Refusal(op, KernelRefused(str(op), error.errno)) for op in batch]
        return [
            Refusal(batch[index], _refused(batch[index], code))
            for index, code in sorted(refused.items())
            if not (isinstance(batch[index], Remove) and code in _GONE)
        ]

    async def _behind(
        self,
        services: Iterable[ServiceKey],
        read: Callable[[ServiceKey, decode.Buffer, int, int], tuple[DestinationKey, T]],
        pace: Pace,
    ) -> dict[DestinationKey, T]:
        """What `read` makes of every destination of these services: the kernel dumps them service by service, the one
        that was added last first (__ip_vs_update_dest, list_add_rcu). Here they are in the order they were added in."""
        found: dict[DestinationKey, T] = {}
        for key in services:
            dump = await self._dump(numbers.CMD_GET_DEST, partial(read, key), pace, service_identity(key))
            found.update(reversed(dump))
        return found

    async def _dump(
        self, number: int, read: Callable[[decode.Buffer, int, int], T], pace: Pace, attributes: bytes = b""
    ) -> list[T]:
        """What `read` makes of every object of one dump."""
        request = self._request(number, attributes)
        for _ in range(ATTEMPTS):
            found: list[T] = []
            try:
                with closing(self._netlink.dump(request)) as datagrams:
                    for buffer, spans in datagrams:
                        found += [read(buffer, start, end) for start, end in spans]
                        if pace.spent(len(spans)):
                            await pace.give_way()
            except DumpInterrupted:
                continue
            return found
        raise KernelRefused("dump the IPVS table, which never stood still", errno.EBUSY)

    def _request(self, number: int, attributes: bytes = b"") -> Request:
        return generic(self._family, number, numbers.GENL_VERSION, attributes)


def _refused(op: Op, code: int) -> KernelRefused:
    hint = _HINTS.get((type(op.key), code))
    return KernelRefused(f"{op} ({hint})" if hint else str(op), code)
