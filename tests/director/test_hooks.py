from __future__ import annotations

import asyncio
import getpass
import json
from typing import TYPE_CHECKING

import pytest

from haman import paths
from haman.director import hooks as hooks_module
from haman.director.hooks import Hooks
from haman.director.told import load
from haman.model.cluster import Hook, HookEvent
from haman.model.transition import Kind, Role, Transition
from haman.observe.tally import Tally
from tests.director.support import change, report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
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
    configured: list[Hook],
    scenario: Callable[[Hooks], Awaitable[None]],
    tally: Tally | None = None,
    groups: Mapping[str, list[str]] | None = None,
) -> list[Transition]:
    """The scenario beside a running queue, then `finish`. Returns the recorded HOOK transitions."""
    recorded: list[Transition] = []

    async def inside() -> None:
        names = {"HAMAN_NODE": "lb1", "HAMAN_CLUSTER": "web"}
        queue = Hooks(configured, names, recorded.append, tally or Tally(), groups)
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(queue.run())
            async with asyncio.timeout(60):
                await scenario(queue)
                await queue.finish()
            worker.cancel()

    asyncio.run(inside())
    return recorded


async def begun(queue: Hooks) -> None:
    """Until a program runs."""
    while not queue.running:
        await asyncio.sleep(0.005)


def hook(script: Path, *arguments: str, on: frozenset[HookEvent] = ALL, **changes: object) -> Hook:
    settings = {"user": getpass.getuser()} | changes  # the script is in a directory of our own
    return Hook(on=on, argv=(str(script), *arguments), **settings)  # type: ignore[arg-type]


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
        "HAMAN_KIND=router",
        "HAMAN_NAME=public",
        "HAMAN_NODE=lb1",
        "HAMAN_PRIORITY=142",
        "HAMAN_ROLE=active",
        "HAMAN_ROUTER=public",
        "HAMAN_STATE=active",
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


def test_of_one_object_one_after_the_other_in_the_order_of_the_file(lines: Lines, tmp_path: Path) -> None:
    slow = tmp_path / "slow.sh"
    slow.write_text(f'#!/bin/sh\nsleep 0.2\necho "slow $HAMAN_EVENT" >> {lines.file}\n')
    slow.chmod(0o755)

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))
        await begun(queue)
        queue.happened(change("active", "standby"))

    run([hook(slow), hook(lines.script)], scenario)
    assert lines.read() == ["slow active", "public active", "slow standby", "public standby"]


def test_objects_do_not_wait_for_each_other(lines: Lines, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs.sh"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active", "stuck"))
        queue.happened(change("standby", "active", "free"))
        while lines.read() != ["free active"]:
            await asyncio.sleep(0.01)

    configured = [
        hook(hangs, routers=frozenset({"stuck"}), timeout=1.0),
        hook(lines.script, routers=frozenset({"free"})),
    ]
    recorded = run(configured, scenario)
    assert [each.who for each in recorded] == ["free/notify.sh", "stuck/hangs.sh"]


def test_dead_servers_with_slow_hooks_keep_no_roles_hook_waiting(lines: Lines, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs.sh"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    most = 0

    async def scenario(queue: Hooks) -> None:
        nonlocal most
        for number in range(12):
            queue.happened(change("up", "down", f"web/rs{number}:80", Kind.SERVER))
        await begun(queue)
        queue.happened(change("standby", "active"))
        while lines.read() != ["public active"]:
            most = max(most, queue.running)
            await asyncio.sleep(0.01)
        assert queue.waiting >= 8

    health = frozenset({HookEvent.SERVER_DOWN})
    roles = frozenset({HookEvent.ACTIVE})
    run([hook(hangs, on=health, timeout=0.5), hook(lines.script, on=roles)], scenario)
    assert most <= hooks_module.HEALTH_AT_ONCE + 1


def test_what_each_sort_of_object_is_told(lines: Lines, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "show.sh"
    names = "$HAMAN_KIND $HAMAN_EVENT $HAMAN_STATE $HAMAN_SERVICE $HAMAN_SERVER $HAMAN_PORT $HAMAN_ROLE"
    script.write_text(f'#!/bin/sh\necho "$@" = {names} >> {out}\n')
    script.chmod(0o755)

    async def scenario(queue: Hooks) -> None:
        queue.roles([report(Role.ACTIVE), report(Role.ACTIVE, "inner")])
        while queue.waiting:
            await asyncio.sleep(0.01)
        for news in (
            change("standby", "active"),
            change("active", "rival", kind=Kind.RIVAL),
            change("announced", "second_owner", kind=Kind.TAKEOVER),
            change("second_owner", "confirmed", kind=Kind.TAKEOVER),
            change("up", "down", "web", Kind.SERVICE),
            change("up", "floor", "dns", Kind.SERVICE),
            change("up", "down", "web/rs1:80", Kind.SERVER),
        ):
            queue.happened(news)
            while queue.waiting:
                await asyncio.sleep(0.01)

    everything = hook(script, routers=frozenset({"public"}), groups=frozenset({"all"}))
    run([everything], scenario, groups={"all": ["public", "inner"]})
    told = out.read_text().splitlines()
    # The group and the router are two objects, so their programs run side by side: either may be quicker.
    assert sorted(told[:2]) + told[2:] == [
        "GROUP all MASTER 0 = group active active active",
        "INSTANCE public MASTER 150 = router active active active",
        "INSTANCE public MASTER_RX_LOWER_PRI 150 = router rival rival active",
        "INSTANCE public SECOND_OWNER 150 = router second-owner second_owner active",
        "INSTANCE public TAKEOVER_CONFIRMED 150 = router takeover-confirmed confirmed active",
        "SERVICE web DOWN = service service-down down web",
        "SERVICE dns FLOOR = service service-floor floor dns",
        "SERVER web/rs1:80 DOWN = server server-down down web rs1 80",
    ]


def test_without_arguments_a_program_has_its_own_only(lines: Lines, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = tmp_path / "show.sh"
    script.write_text(f'#!/bin/sh\necho "$# $@" > {out}\n')
    script.chmod(0o755)

    async def scenario(queue: Hooks) -> None:
        queue.happened(change("standby", "active"))

    run([hook(script, "mine", arguments=False)], scenario)
    assert out.read_text() == "1 mine\n"


def test_a_group_is_told_once_its_members_agree(lines: Lines) -> None:
    async def scenario(queue: Hooks) -> None:
        queue.roles([report(Role.STANDBY), report(Role.STANDBY, "inner")])
        queue.roles([report(Role.ACTIVE), report(Role.STANDBY, "inner")])
        queue.roles([report(Role.ACTIVE), report(Role.ACTIVE, "inner")])

    script = lines.script
    script.write_text(f'#!/bin/sh\necho "$HAMAN_GROUP $HAMAN_EVENT" >> {lines.file}\n')
    run([hook(script, groups=frozenset({"all"}))], scenario, groups={"all": ["public", "inner"]})
    assert lines.read()[-1] == "all active"
    assert "all standby" not in lines.read()[1:]


def test_a_rival_waits_once_and_not_beyond_the_role(lines: Lines) -> None:
    tally = Tally()

    async def scenario(queue: Hooks) -> None:
        lines.close_gate()
        queue.happened(change("standby", "active"))
        await begun(queue)
        for _ in range(3):
            queue.happened(change("active", "rival", kind=Kind.RIVAL))
        queue.happened(change("standby", "active", "inner"))
        queue.happened(change("active", "rival", "inner", Kind.RIVAL))
        queue.happened(change("active", "standby", "inner"))
        lines.open_gate()

    run([hook(lines.script)], scenario, tally)
    told = lines.read()
    assert [line for line in told if line.startswith("public")] == ["public active", "public rival"]
    assert [line for line in told if line.startswith("inner")] == ["inner active", "inner standby"]
    assert tally.hooks_superseded == 3


def test_a_server_that_is_up_at_the_start_is_no_news_and_one_that_came_back_meanwhile_is(lines: Lines) -> None:
    script = lines.script
    script.write_text(f'#!/bin/sh\necho "$HAMAN_NAME $HAMAN_EVENT" >> {lines.file}\n')

    async def first(queue: Hooks) -> None:
        queue.happened(change("unknown", "up", "web/rs1:80", Kind.SERVER))
        queue.happened(change("unknown", "down", "web/rs2:80", Kind.SERVER))
        queue.happened(change("unknown", "down", "web/rs3:80", Kind.SERVER))

    async def second(queue: Hooks) -> None:
        """The kernel serves rs2 (adopted, so no transition), rs3 has left the configuration."""
        queue.health(lambda subject: "up" if subject.name == "web/rs2:80" else None)

    run([hook(script)], first)
    assert sorted(lines.read()) == ["web/rs2:80 server-down", "web/rs3:80 server-down"]
    lines.file.unlink()
    run([hook(script)], second)
    assert lines.read() == ["web/rs2:80 server-up"]
    assert json.loads(paths.hooks_told().read_text()) == {}


def test_a_router_that_left_the_configuration_is_told_to_stop(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "SETTLE", 0.05)

    async def scenario(queue: Hooks) -> None:
        queue.roles([report(Role.ACTIVE), report(Role.ACTIVE, "old")])
        while len(lines.read()) < 2:
            await asyncio.sleep(0.01)
        queue.configure([hook(lines.script)], {}, {})
        queue.roles([report(Role.ACTIVE)])
        while len(lines.read()) < 3:
            await asyncio.sleep(0.01)

    run([hook(lines.script)], scenario)
    assert lines.read()[2:] == ["old stop"]


def test_a_group_that_this_director_left_is_told_to_stop(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "SETTLE", 0.05)
    of_group = hook(lines.script, groups=frozenset({"both"}))

    async def scenario(queue: Hooks) -> None:
        queue.roles([report(Role.ACTIVE), report(Role.ACTIVE, "inner")])
        while len(lines.read()) < 1:
            await asyncio.sleep(0.01)
        queue.configure([of_group], {}, {})
        queue.roles([report(Role.ACTIVE)])
        while len(lines.read()) < 2:
            await asyncio.sleep(0.01)

    run([of_group], scenario, groups={"both": ("public", "inner")})
    assert [line.strip() for line in lines.read()] == ["active", "stop"]


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
    assert [line for line in lines.read() if line.startswith("public")] == ["public active", "public fault"]
    assert "inner active" in lines.read()
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
        assert not queue.running, "the announcement may be on its way"
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
    for spoilt in ("", "[]", '{"router": 7}', '{"public": "active"}', '{"router": {"public": "king"}}', "\xff"):
        paths.hooks_told().write_text(spoilt)
        assert load() == {}
