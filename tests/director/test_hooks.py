from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from haman import paths
from haman.director import hooks as hooks_module
from haman.director.hooks import Hooks
from haman.model.cluster import Hook, HookEvent
from haman.model.transition import Kind, Role, Transition
from haman.observe.tally import Tally
from tests.director.support import change, report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ALL = frozenset(HookEvent)


class Lines:
    """What the programs wrote down, in order: `router event` each, by a script that can be held up."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "lines"
        self.gate = directory / "gate"
        self.script = directory / "notify.sh"
        self.script.write_text(
            "#!/bin/sh\n"
            f'while [ -e {self.gate} ]; do sleep 0.02; done\necho "$HAMAN_ROUTER $HAMAN_EVENT" >> {self.file}\n'
        )
        self.script.chmod(0o755)

    def read(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    def close_gate(self) -> None:
        self.gate.touch()

    def open_gate(self) -> None:
        self.gate.unlink()


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    return Lines(tmp_path)


def run(
    configured: list[Hook], scenario: Callable[[Hooks], Awaitable[None]], tally: Tally | None = None
) -> list[Transition]:
    """The scenario beside a running queue, then `finish`. Returns the recorded HOOK transitions."""
    recorded: list[Transition] = []

    async def inside() -> None:
        names = {"HAMAN_NODE": "lb1", "HAMAN_CLUSTER": "web"}
        queue = Hooks(configured, names, recorded.append, tally or Tally())
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(queue.run())
            async with asyncio.timeout(20):
                await scenario(queue)
                await queue.finish()
            worker.cancel()

    asyncio.run(inside())
    return recorded


async def begun(queue: Hooks) -> None:
    """Until a program runs."""
    while queue._running is None:
        await asyncio.sleep(0.005)


def hook(script: Path, *arguments: str, on: frozenset[HookEvent] = ALL, **changes: object) -> Hook:
    return Hook(on=on, argv=(str(script), *arguments), **changes)  # type: ignore[arg-type]


def test_arguments_environment_and_standard_input(lines: Lines, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "show.sh"
    script.write_text(f'#!/bin/sh\n{{ echo "$@"; env | grep ^HAMAN_ | sort; cat; }} > {out}\n')
    script.chmod(0o755)

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))
        queue.roles([report(Role.ACTIVE, priority=142)])

    recorded = run([hook(script, "--mine", "two words")], scenario)
    shown = out.read_text().splitlines()
    assert shown[:-1] == [
        "--mine two words INSTANCE public MASTER 142",
        "HAMAN_BEFORE=standby",
        "HAMAN_CAUSE=test",
        "HAMAN_CLUSTER=web",
        "HAMAN_EVENT=active",
        "HAMAN_NODE=lb1",
        "HAMAN_PRIORITY=142",
        "HAMAN_ROLE=active",
        "HAMAN_ROUTER=public",
        "HAMAN_WHY=said the test",
    ]
    told = json.loads(shown[-1])
    assert (told["before"], told["after"], told["node"], told["priority"]) == ("standby", "active", "lb1", 142)
    assert [(each.kind, each.who, each.before, each.after) for each in recorded] == [
        (Kind.HOOK, "public/show.sh", "active", "exit 0")
    ]


@pytest.mark.parametrize(
    ("role", "word"), [("active", "MASTER"), ("standby", "BACKUP"), ("fault", "FAULT"), ("stopped", "STOP")]
)
def test_keepaliveds_words(lines: Lines, tmp_path: Path, role: str, word: str) -> None:
    out = tmp_path / "out"
    script = tmp_path / "show.sh"
    script.write_text(f'#!/bin/sh\necho "$@" > {out}\n')
    script.chmod(0o755)

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("x", role))

    run([hook(script)], scenario)
    assert out.read_text() == f"INSTANCE public {word} 0\n"


def test_only_for_its_events_and_routers(lines: Lines) -> None:
    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active", "public"))
        queue.happened(change("standby", "active", "inner"))
        queue.happened(change("standby", "fault", "third"))

    run([hook(lines.script, on=frozenset({HookEvent.ACTIVE}), routers=frozenset({"inner", "third"}))], scenario)
    assert lines.read() == ["inner active"]


def test_one_after_the_other_in_order_over_all_routers(lines: Lines) -> None:
    async def scenario(queue: Hooks) -> None:
        for router in ("c", "a", "b"):
            queue.happened(change("standby", "active", router))

    run([hook(lines.script), hook(lines.script)], scenario)
    assert lines.read() == ["c active", "c active", "a active", "a active", "b active", "b active"]


def test_superseded_roles_are_dropped_while_a_program_runs(lines: Lines) -> None:
    tally = Tally()

    async def scenario(queue: Hooks) -> None:
        lines.close_gate()
        queue.happened(change("standby", "active"))
        await begun(queue)
        queue.happened(change("active", "standby"))
        queue.happened(change("standby", "active", "inner"))
        queue.happened(change("standby", "fault"))
        lines.open_gate()

    run([hook(lines.script)], scenario, tally)
    assert lines.read() == ["public active", "inner active", "public fault"]
    assert tally.hooks_superseded == 1


def test_back_where_it_was_there_is_nothing_to_tell(lines: Lines) -> None:
    tally = Tally()

    async def scenario(queue: Hooks) -> None:
        lines.close_gate()
        queue.happened(change("standby", "active"))
        await begun(queue)
        queue.happened(change("active", "standby"))
        queue.happened(change("standby", "active"))
        lines.open_gate()

    run([hook(lines.script)], scenario, tally)
    assert lines.read() == ["public active"]
    assert tally.hooks_superseded == 2


def test_a_stop_is_never_dropped(lines: Lines) -> None:
    async def scenario(queue: Hooks) -> None:
        lines.close_gate()
        queue.happened(change("standby", "active"))
        await begun(queue)
        queue.happened(change("active", "stopped"))
        queue.happened(change("stopped", "standby"))
        queue.happened(change("standby", "active"))
        lines.open_gate()

    run([hook(lines.script)], scenario)
    assert lines.read() == ["public active", "public stop", "public active"]


def test_failures_are_recorded_and_do_not_stop_the_queue(lines: Lines, tmp_path: Path) -> None:
    bad = tmp_path / "bad.sh"
    bad.write_text("#!/bin/sh\nexit 7\n")
    bad.chmod(0o755)
    slow = tmp_path / "slow.sh"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    tally = Tally()

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))

    configured = [hook(bad), hook(slow, timeout=0.2), hook(tmp_path / "missing"), hook(lines.script)]
    recorded = run(configured, scenario, tally)
    assert [(each.who, each.after, each.cause) for each in recorded] == [
        ("public/bad.sh", "exit 7", "exit"),
        ("public/slow.sh", "timeout", "timeout"),
        ("public/missing", "not_started", "not_started"),
        ("public/notify.sh", "exit 0", "exit"),
    ]
    assert tally.hooks["bad.sh", "active", "exit"] == 1
    assert tally.hook_status["bad.sh", "active"] == 7
    assert lines.read() == ["public active"]


def test_what_was_told_survives_the_directors_death(lines: Lines) -> None:
    async def first(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))

    async def second(queue: Hooks) -> None:
        queue.roles([report(Role.ACTIVE)])

    async def third(queue: Hooks) -> None:
        queue.roles([report(Role.FAULT)])

    run([hook(lines.script)], first)
    run([hook(lines.script)], second)
    assert lines.read() == ["public active"], "the same role again is no news"
    run([hook(lines.script)], third)
    assert lines.read() == ["public active", "public fault"], "what happened meanwhile is made good"


def test_a_role_that_was_told_is_no_news_when_announced_again(lines: Lines) -> None:
    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))

    run([hook(lines.script)], scenario)
    run([hook(lines.script)], scenario)
    assert lines.read() == ["public active"]


def test_a_hook_that_was_cut_off_runs_again(lines: Lines) -> None:
    async def killed() -> None:
        queue = Hooks([hook(lines.script)], {}, lambda _: None, Tally())
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(queue.run())
            queue.happened(change("standby", "active"))
            await begun(queue)
            worker.cancel()

    async def again(queue: Hooks) -> None:
        queue.roles([report(Role.ACTIVE)])

    lines.close_gate()
    asyncio.run(killed())
    lines.open_gate()
    assert lines.read() == []
    run([hook(lines.script)], again)
    assert lines.read() == ["public active"]


def test_a_change_nobody_announced_is_told_after_a_while(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "SETTLE", 0.1)

    async def scenario(queue: Hooks) -> None:
        queue.roles([report(Role.STANDBY)])
        await asyncio.sleep(0.02)
        assert queue._running is None, "the announcement may be on its way"
        while lines.read() != ["public standby"]:
            await asyncio.sleep(0.01)

    run([hook(lines.script)], scenario)
    assert lines.read() == ["public standby"]


def test_an_announced_change_is_told_once(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "SETTLE", 0.05)

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("stopped", "standby"))
        queue.roles([report(Role.STANDBY)])
        await asyncio.sleep(0.3)

    run([hook(lines.script)], scenario)
    assert lines.read() == ["public standby"]


def test_without_hooks_nothing_is_kept(lines: Lines) -> None:
    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))
        queue.roles([report(Role.FAULT)])

    run([], scenario)
    assert not paths.hooks_told().exists()


def test_a_spoilt_file_counts_as_nothing_told(lines: Lines) -> None:
    paths.hooks_told().parent.mkdir(parents=True)
    for spoilt in ("", "[]", '{"public": 7}', '{"public": "king"}', "\xff"):
        paths.hooks_told().write_text(spoilt)
        assert hooks_module._load() == {}
