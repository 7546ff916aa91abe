"""`PacketFilter`: haman's table, which is there as written, or other than written, or not there."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from haman.errors import HamanError, KernelRefused
from haman.kernel.nftables import known, program
from haman.kernel.nftables.generation import Generation
from haman.kernel.nftables.known import Known
from haman.kernel.refusal import Refusal
from haman.model.kernel import TableConfig, TableKey
from haman.plan.ops import Remove
from haman.wire import nftables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.plan.ops import Op

ATTEMPTS = 3
"""How often a table is written before its listing is taken for ours: somebody may be changing rules at that moment."""


class PacketFilter:
    """Of this network namespace. Nothing is opened or started before the first call; its methods may be called by
    several tasks: each waits for the one before it."""

    def __init__(self) -> None:
        self._generation: Generation | None = None
        self._turn = asyncio.Lock()
        self._seen: int | None = None
        self._listing: str | None = None
        self._known = known.load()

    def close(self) -> None:
        if self._generation is not None:
            self._generation.close()
        self._generation = self._seen = None

    async def digest(self) -> str | None:
        """Of the table; None if there is none. Costs one netlink request while nobody has changed any packet filter.
        Raises KernelUnavailable, NftFailed."""
        async with self._turn:
            return await self._look()

    async def snapshot(self) -> dict[TableKey, TableConfig]:
        """The table with what was written into it; with an empty text if it is other than that. Raises
        KernelUnavailable, NftFailed."""
        async with self._turn:
            listing = await self._look()
            if listing is None:
                return {}
            as_written = self._known is not None and self._known.listing == listing
            return {TableKey(): TableConfig(self._known.text if self._known is not None and as_written else "")}

    async def sends_on(self) -> bool:
        """Can this kernel do what a second chance takes (nft_dup_ipv4, nft_dup_ipv6, nft_socket)? Costs one nft."""
        return await program.permits(nftables.sends_on())

    async def apply(self, ops: Sequence[Op]) -> list[Refusal]:
        """In order. Operations on anything else are passed over."""
        refusals = []
        async with self._turn:
            for op in ops:
                if not isinstance(op.key, TableKey):
                    continue
                try:
                    if isinstance(op, Remove):
                        await self._remove()
                    else:
                        assert isinstance(op.config, TableConfig)
                        await self._write(op.config.text)
                except HamanError as error:
                    refusals.append(Refusal(op, KernelRefused(f"{op} ({error})", _code(error))))
        return refusals

    async def _look(self) -> str | None:
        generation = self._count()
        if generation != self._seen:
            self._listing = await program.read(nftables.FAMILIES, nftables.TABLE)
            self._seen = generation
        return self._listing

    async def _write(self, text: str) -> None:
        """What is listed afterwards counts as ours only if nobody has written in between. If somebody does so each
        time, it is found altered at the next look, and written anew."""
        self._seen = None
        for _ in range(ATTEMPTS):
            before = self._count()
            await program.write(text)
            listing = await program.read(nftables.FAMILIES, nftables.TABLE)
            if listing is not None and self._count() == (before + 1) & 0xFFFFFFFF:
                self._know(Known(text, listing))
                return
        self._know(None)

    async def _remove(self) -> None:
        self._seen = None
        await program.write(nftables.removal())
        self._know(None)

    def _know(self, what: Known | None) -> None:
        self._known = what
        known.save(what)

    def _count(self) -> int:
        if self._generation is None:
            self._generation = Generation()
        return self._generation.now()


def _code(error: HamanError) -> int:
    if isinstance(error, KernelRefused):
        return error.errno
    return errno.EPERM if "not permitted" in str(error) else errno.EOPNOTSUPP
