from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from haman.model.transition import Kind
from haman.observe import archive, feed
from haman.observe.archive import Archive
from haman.observe.feed import Feed
from haman.observe.history import Entry, History, entry
from tests.observe.test_journal import TAKEOVER

if TYPE_CHECKING:
    from pathlib import Path

SERVER = replace(TAKEOVER, kind=Kind.SERVER, who="web/rs1:80")


def test_bounded_and_in_order() -> None:
    history = History(length=3)
    for number in range(5):
        history.record(replace(TAKEOVER, why=str(number)))
    assert [each.transition.why for each in history.last(10)] == ["2", "3", "4"]
    assert [each.transition.why for each in history.last(2)] == ["3", "4"]
    assert [each.number for each in history.last(2)] == [4, 5]
    assert history.last(0) == []


def test_a_storm_of_one_kind_pushes_nothing_else_out() -> None:
    history = History(length=3)
    history.record(TAKEOVER)
    for _ in range(100):
        history.record(SERVER)
    history.record(TAKEOVER)
    assert [each.number for each in history.entries()] == [1, 99, 100, 101, 102]
    assert [each.number for each in history.entries(lambda each: each.kind is Kind.ROUTER)] == [1, 102]
    assert [each.number for each in history.entries(after=100)] == [101, 102]


def test_the_next_process_goes_on_where_this_one_ended(tmp_path: Path) -> None:
    first = Archive(tmp_path / "history")
    history = History(first.read(), first.write)
    for each in (TAKEOVER, SERVER, replace(TAKEOVER, why="a snowman: \u2603")):
        history.record(each)
    first.close()  # a crash does not even do that
    second = Archive(tmp_path / "history")
    later = History(second.read(), second.write)
    assert list(later.entries()) == [
        Entry(1, TAKEOVER),
        Entry(2, SERVER),
        Entry(3, replace(TAKEOVER, why="a snowman: \u2603")),
    ]
    later.record(SERVER)
    assert later.number == 4
    second.close()
    assert len(Archive(tmp_path / "history").read()) == 4


def test_the_file_is_bounded_and_an_older_one_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST", 1000)
    kept = Archive(tmp_path)
    history = History((), kept.write)
    for _ in range(100):
        history.record(TAKEOVER)
    kept.close()
    sizes = [each.stat().st_size for each in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= 1000
    numbers = [each.number for each in Archive(tmp_path).read()]
    assert sorted(numbers) == list(range(101 - len(numbers), 101))
    assert len(numbers) >= 5


def test_a_spoilt_file_costs_its_spoilt_lines(tmp_path: Path) -> None:
    first = Archive(tmp_path)
    History((), first.write).record(TAKEOVER)
    first.close()
    file = tmp_path / "router.jsonl"
    file.write_bytes(b"\xff\n[]\n7\n{}\n" + file.read_bytes() + b'{"number": 2, "kind": "rou')
    second = Archive(tmp_path)
    history = History(second.read(), second.write)
    history.record(TAKEOVER)
    second.close()
    assert [each.number for each in Archive(tmp_path).read()] == [1, 2]


def test_where_nothing_can_be_written_the_history_lives_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "history").write_text("a file, where a directory should be")
    nowhere = Archive(tmp_path / "history")
    history = History(nowhere.read(), nowhere.write)
    history.record(TAKEOVER)
    history.record(TAKEOVER)
    assert history.number == 2
    assert caplog.text.count("history will not outlive this process") == 1


@pytest.mark.parametrize("plain", [None, 7, [], {}, {**Entry(1, TAKEOVER).plain(), "kind": "king"}, {"number": "x"}])
def test_what_is_no_entry(plain: object) -> None:
    assert entry(plain) is None


def test_a_slow_follower_loses_the_oldest_and_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BUFFER", 3)

    async def scenario() -> None:
        numbers: Feed[int] = Feed()
        numbers.publish(0)
        with numbers.follow() as slow, numbers.follow() as quick:
            numbers.publish(1)
            assert await quick.next() == (0, [1])
            for number in range(2, 7):
                numbers.publish(number)
            assert await slow.next() == (3, [4, 5, 6])
            assert await quick.next() == (2, [4, 5, 6])
            numbers.publish(7)
            assert await slow.next() == (0, [7])
        assert not numbers._followers

    asyncio.run(scenario())
