from __future__ import annotations

import pytest

from haman.director.news import Sort, Subject, arguments, concerns, environment, of, usual
from haman.model.cluster import Hook, HookEvent
from haman.model.transition import Kind, Transition

ROUTER, GROUP = Subject(Sort.ROUTER, "public"), Subject(Sort.GROUP, "all")
SERVICE, SERVER = Subject(Sort.SERVICE, "web"), Subject(Sort.SERVER, "web/rs1:80")
SITE = Subject(Sort.SITE, "web")


@pytest.mark.parametrize(
    ("named", "about"),
    [
        ({}, {ROUTER, SERVICE, SERVER, SITE}),
        ({"routers": frozenset({"public"})}, {ROUTER, SERVICE, SERVER, SITE}),
        ({"routers": frozenset({"inner"})}, {SERVICE, SERVER, SITE}),
        ({"groups": frozenset({"all"})}, {GROUP, SERVICE, SERVER, SITE}),
        ({"groups": frozenset({"all"}), "routers": frozenset({"public"})}, {GROUP, ROUTER, SERVICE, SERVER, SITE}),
        ({"services": frozenset({"web"})}, {ROUTER, SERVICE, SERVER, SITE}),
        ({"services": frozenset({"we"})}, {ROUTER}),
    ],
)
def test_whom_a_hook_is_about(named: dict[str, frozenset[str]], about: set[Subject]) -> None:
    hook = Hook(on=frozenset(HookEvent), argv=("/bin/true",), **named)  # type: ignore[arg-type]
    assert {each for each in (ROUTER, GROUP, SERVICE, SERVER, SITE) if concerns(hook, each)} == about


@pytest.mark.parametrize(
    ("after", "event", "word"),
    [("local", HookEvent.SITE_LOCAL, "LOCAL"), ("east", HookEvent.SITE_BACKUP, "BACKUP")],
)
def test_a_site_is_news_by_its_name(after: str, event: HookEvent, word: str) -> None:
    news = of(Transition(kind=Kind.SITE, who="web", before="x", after=after, why="said the test", cause="c", at=1.0))
    assert news is not None
    assert (news.event, news.state) == (event, after)
    assert arguments(news, 150) == ["SITE", "web", word]
    told = environment(news, 150)
    assert (told["HAMAN_SERVICE"], told["HAMAN_SITE"], told["HAMAN_EVENT"]) == ("web", after, event.value)


@pytest.mark.parametrize(
    ("before", "after", "word", "phase"),
    [("none", "10.0.0.2", "SPLIT_BRAIN", "begin"), ("10.0.0.2", "none", "SPLIT_BRAIN_OVER", "end")],
)
def test_a_split_brain_begins_and_ends_with_its_rival(before: str, after: str, word: str, phase: str) -> None:
    news = of(Transition(kind=Kind.SPLIT, who="public", before=before, after=after, why="two", cause="c", at=1.0))
    assert news is not None
    assert (news.event, news.state) == (HookEvent.SPLIT_BRAIN, after)
    assert arguments(news, 150) == ["INSTANCE", "public", word, "150"]
    told = environment(news, 150)
    assert (told["HAMAN_ROUTER"], told["HAMAN_SPLIT"], told["HAMAN_RIVAL"]) == ("public", phase, "10.0.0.2")
    assert told["HAMAN_EVENT"] == "split-brain"


def test_a_split_brain_is_about_routers_and_no_group() -> None:
    split = Subject(Sort.SPLIT, "public")
    hook = Hook(on=frozenset({HookEvent.SPLIT_BRAIN}), argv=("/x",))
    assert concerns(hook, split)
    assert not concerns(Hook(on=hook.on, argv=("/x",), groups=frozenset({"both"})), split)
    assert usual(split) == "none"
    assert split.of_roles
    assert not split.of_election
