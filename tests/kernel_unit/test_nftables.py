"""When nft is asked, and what counts as haman's own table; nft and the kernel's count are of paper here."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from haman.errors import KernelUnavailable
from haman.kernel.nftables import PacketFilter, program, table
from haman.model.kernel import TableConfig, TableKey
from haman.plan.ops import Add, Remove
from haman.wire.nftables import removal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

KEY = TableKey()


class Paper:
    """The packet filter: `held` is listed, `count` goes up with each change of anybody's."""

    def __init__(self) -> None:
        self.held: str | None = None
        self.count = 0xFFFFFFFF
        self.reads = self.writes = 0
        self.busy = False

    def change(self, held: str | None) -> None:
        self.held, self.count = held, (self.count + 1) & 0xFFFFFFFF

    async def read(self, families: Sequence[str], name: str) -> str | None:
        assert (tuple(families), name) == (("inet", "ip", "ip6"), "haman")
        self.reads += 1
        if self.busy:  # somebody writes into another table all the time
            self.count += 1
        return self.held

    async def write(self, text: str) -> None:
        self.writes += 1
        self.change(None if text == removal() else f"as listed: {text}")

    def now(self) -> int:
        return self.count


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paper:
    paper = Paper()
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(program, "read", paper.read)
    monkeypatch.setattr(program, "write", paper.write)
    monkeypatch.setattr(table, "Generation", lambda: paper)
    return paper


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def test_nothing_is_started_while_nobody_changes_anything(paper: Paper) -> None:
    async def scenario() -> None:
        packet_filter = PacketFilter()
        assert paper.reads == 0
        assert await packet_filter.apply([Add(KEY, TableConfig("one"))]) == []
        assert await packet_filter.snapshot() == {KEY: TableConfig("one")}
        reads, digest = paper.reads, await packet_filter.digest()
        for _ in range(5):
            assert await packet_filter.digest() == digest
        assert paper.reads == reads
        paper.change(paper.held)  # in another table
        assert await packet_filter.digest() == digest
        assert paper.reads == reads + 1

    run(scenario)


def test_what_somebody_changed_is_not_ours_and_what_is_gone_is_not_there(paper: Paper) -> None:
    async def scenario() -> None:
        packet_filter = PacketFilter()
        await packet_filter.apply([Add(KEY, TableConfig("one"))])
        paper.change("edited")
        assert await packet_filter.snapshot() == {KEY: TableConfig("")}
        paper.change(None)
        assert await packet_filter.snapshot() == {}

    run(scenario)


def test_a_new_life_knows_its_table_again_and_a_stranger_does_not(paper: Paper, tmp_path: Path) -> None:
    async def scenario() -> None:
        await PacketFilter().apply([Add(KEY, TableConfig("one"))])
        assert await PacketFilter().snapshot() == {KEY: TableConfig("one")}
        file = tmp_path / "owned" / "nftables.json"
        for content in ("{", "[]", '{"text": "one"}'):
            file.write_text(content)
            assert await PacketFilter().snapshot() == {KEY: TableConfig("")}
        await PacketFilter().apply([Remove(KEY)])
        assert not file.exists()
        assert paper.held is None

    run(scenario)


def test_a_listing_that_may_be_anothers_work_is_not_taken_for_ours(paper: Paper) -> None:
    async def scenario() -> None:
        paper.busy = True
        packet_filter = PacketFilter()
        assert await packet_filter.apply([Add(KEY, TableConfig("one"))]) == []
        assert paper.writes == table.ATTEMPTS
        assert await packet_filter.snapshot() == {KEY: TableConfig("")}  # and so it will be written again

    run(scenario)


def test_what_nft_says_is_a_refusal(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(text: str) -> None:
        raise KernelUnavailable("the program nft is missing")

    monkeypatch.setattr(program, "write", missing)

    async def scenario() -> None:
        (refusal,) = await PacketFilter().apply([Add(KEY, TableConfig("one"))])
        assert "the program nft is missing" in str(refusal.error)

    run(scenario)


def test_handles_and_the_order_in_a_set_are_no_difference() -> None:
    def listing(handle: int, *elements: int) -> object:
        rule = {"rule": {"handle": handle, "expr": [{"match": {"right": {"set": list(elements)}}}, {"accept": None}]}}
        return program._steady(json.loads(json.dumps({"nftables": [{"metainfo": {"version": "1"}}, rule]})))

    assert listing(3, 80, 443) == listing(7, 443, 80)
    assert listing(3, 80, 443) != listing(3, 80, 444)


def test_of_all_tables_only_those_of_the_name_are_listed_and_handles_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handle = 0
    tables = [("inet", "haman"), ("ip", "filter")]
    asked: list[tuple[str, ...]] = []

    async def answer(arguments: tuple[str, ...], text: str) -> str:
        nonlocal handle
        handle += 1
        asked.append(arguments)
        if arguments == ("-j", "list", "tables"):
            listed = [{"table": {"family": family, "name": name, "handle": handle}} for family, name in tables]
            return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *listed]})
        return json.dumps({"nftables": [{"rule": {"family": arguments[3], "handle": handle, "expr": ["drop"]}}]})

    monkeypatch.setattr(program, "_run", answer)

    async def scenario() -> None:
        alone = await program.read(("inet", "ip"), "haman")
        assert asked == [("-j", "list", "tables"), ("-j", "list", "table", "inet", "haman")]
        assert await program.read(("inet", "ip"), "haman") == alone
        tables.append(("ip", "haman"))
        assert await program.read(("inet", "ip"), "haman") != alone
        tables.clear()
        assert await program.read(("inet", "ip"), "haman") is None

    run(scenario)
