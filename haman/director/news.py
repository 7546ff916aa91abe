"""What hooks are told: from a transition to the object it is about, the event, and the words a program gets. Pure.

Objects are routers, sync groups, services and servers. Each has one state at a time, so a newer one replaces an older
one that nobody was told yet; a rival, and what came of asking about a takeover, are news without a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from haman.model.cluster import HookEvent
from haman.model.confirmation import TakeoverVerdict
from haman.model.transition import Kind, Role

if TYPE_CHECKING:
    from haman.model.cluster import Hook
    from haman.model.transition import Transition


class Sort(Enum):
    ROUTER = "router"
    GROUP = "group"
    SERVICE = "service"
    SERVER = "server"
    SITE = "site"
    SPLIT = "split"


class Subject(NamedTuple):
    """name: as in a transition's `who`: `public`, `web`, `web/rs1:80`."""

    sort: Sort
    name: str

    @property
    def of_election(self) -> bool:
        return self.sort in (Sort.ROUTER, Sort.GROUP)

    @property
    def of_roles(self) -> bool:
        """Of who is active, so that no server's hook keeps it waiting."""
        return self.of_election or self.sort is Sort.SPLIT


@dataclass(frozen=True, slots=True)
class News:
    """state: the word that is remembered as told; None for news without one."""

    subject: Subject
    event: HookEvent
    state: str | None
    transition: Transition

    @property
    def lasting(self) -> bool:
        """A stop may be the last thing this machine does about a router: it is never dropped."""
        return self.event is HookEvent.STOP


STOPPED = Role.STOPPED.value
UP, LOCAL, NONE = "up", "local", "none"

_ROLES = {
    Role.ACTIVE.value: HookEvent.ACTIVE,
    Role.STANDBY.value: HookEvent.STANDBY,
    Role.FAULT.value: HookEvent.FAULT,
    STOPPED: HookEvent.STOP,
}
_SERVICE = {"up": HookEvent.SERVICE_UP, "floor": HookEvent.SERVICE_FLOOR, "down": HookEvent.SERVICE_DOWN}
_SERVER = {"up": HookEvent.SERVER_UP, "down": HookEvent.SERVER_DOWN}

_TAKEOVERS = {
    TakeoverVerdict.CONFIRMED: HookEvent.TAKEOVER_CONFIRMED,
    TakeoverVerdict.UNCONFIRMED: HookEvent.TAKEOVER_UNCONFIRMED,
    TakeoverVerdict.SECOND_OWNER: HookEvent.SECOND_OWNER,
}

EVENTS: dict[Sort, dict[str, HookEvent]] = {
    Sort.ROUTER: _ROLES,
    Sort.GROUP: _ROLES,
    Sort.SERVICE: _SERVICE,
    Sort.SERVER: _SERVER,
    Sort.SITE: {LOCAL: HookEvent.SITE_LOCAL},
    Sort.SPLIT: {NONE: HookEvent.SPLIT_BRAIN},
}
"""By sort and state. Every other state of a site is the name of a backup, of a split the addresses of rivals."""

_SORTS = {
    Kind.ROUTER: Sort.ROUTER,
    Kind.GROUP: Sort.GROUP,
    Kind.SERVICE: Sort.SERVICE,
    Kind.SERVER: Sort.SERVER,
    Kind.SITE: Sort.SITE,
    Kind.SPLIT: Sort.SPLIT,
}

_KEEPALIVED = {
    HookEvent.ACTIVE: "MASTER",
    HookEvent.STANDBY: "BACKUP",
    HookEvent.FAULT: "FAULT",
    HookEvent.STOP: "STOP",
    HookEvent.RIVAL: "MASTER_RX_LOWER_PRI",
    HookEvent.TAKEOVER_CONFIRMED: "TAKEOVER_CONFIRMED",
    HookEvent.TAKEOVER_UNCONFIRMED: "TAKEOVER_UNCONFIRMED",
    HookEvent.SECOND_OWNER: "SECOND_OWNER",
    HookEvent.SERVICE_UP: "UP",
    HookEvent.SERVICE_FLOOR: "FLOOR",
    HookEvent.SERVICE_DOWN: "DOWN",
    HookEvent.SERVER_UP: "UP",
    HookEvent.SERVER_DOWN: "DOWN",
    HookEvent.SITE_BACKUP: "BACKUP",
    HookEvent.SITE_LOCAL: "LOCAL",
}
_NOUNS = {
    Sort.ROUTER: "INSTANCE",
    Sort.GROUP: "GROUP",
    Sort.SERVICE: "SERVICE",
    Sort.SERVER: "SERVER",
    Sort.SITE: "SITE",
    Sort.SPLIT: "INSTANCE",
}
_OTHERWISE = {Sort.SITE: HookEvent.SITE_BACKUP, Sort.SPLIT: HookEvent.SPLIT_BRAIN}


def event_of(sort: Sort, state: str) -> HookEvent | None:
    """None for a state that is nothing to hooks."""
    return EVENTS[sort].get(state, _OTHERWISE.get(sort))


def usual(subject: Subject) -> str | None:
    """What it is taken for until told otherwise: a service that is up at the start is no news. None: nothing is."""
    if subject.of_election:
        return None
    return {Sort.SITE: LOCAL, Sort.SPLIT: NONE}.get(subject.sort, UP)


def of(transition: Transition) -> News | None:
    """None for a transition that is nothing to hooks."""
    if transition.kind is Kind.RIVAL:
        return News(Subject(Sort.ROUTER, transition.who), HookEvent.RIVAL, None, transition)
    if transition.kind is Kind.TAKEOVER:
        event = _TAKEOVERS[TakeoverVerdict(transition.after)]
        return News(Subject(Sort.ROUTER, transition.who), event, None, transition)
    sort = _SORTS.get(transition.kind)
    return None if sort is None else state(Subject(sort, transition.who), transition)


def state(subject: Subject, transition: Transition) -> News | None:
    """The news that `subject` is in the state `transition` ends in."""
    event = event_of(subject.sort, transition.after)
    return None if event is None else News(subject, event, transition.after, transition)


def concerns(hook: Hook, subject: Subject) -> bool:
    """Is this hook about this object, whatever happens to it? One that names groups only is about no router."""
    match subject.sort:
        case Sort.ROUTER | Sort.SPLIT:
            return subject.name in hook.routers if hook.routers or hook.groups else True
        case Sort.GROUP:
            return subject.name in hook.groups
        case Sort.SERVICE | Sort.SITE:
            return not hook.services or subject.name in hook.services
        case Sort.SERVER:
            return not hook.services or subject.name.partition("/")[0] in hook.services


def arguments(news: News, priority: int) -> list[str]:
    """keepalived's contract for `notify`, so that its scripts go on working: a group's priority is 0 there. Services
    and servers have none."""
    if news.subject.sort is Sort.SPLIT:
        word = "SPLIT_BRAIN_OVER" if news.state == NONE else "SPLIT_BRAIN"
        return [_NOUNS[news.subject.sort], news.subject.name, word, str(priority)]
    words = [_NOUNS[news.subject.sort], news.subject.name, _KEEPALIVED[news.event]]
    return [*words, str(priority)] if news.subject.of_election else words


def environment(news: News, priority: int) -> dict[str, str]:
    transition, subject = news.transition, news.subject
    common = {
        "HAMAN_KIND": subject.sort.value,
        "HAMAN_NAME": subject.name,
        "HAMAN_EVENT": news.event.value,
        "HAMAN_STATE": transition.after,
        "HAMAN_BEFORE": transition.before,
        "HAMAN_WHY": transition.why,
        "HAMAN_CAUSE": transition.cause,
    }
    match subject.sort:
        case Sort.ROUTER | Sort.GROUP:
            role = Role.ACTIVE.value if news.state is None else transition.after
            noun = "HAMAN_ROUTER" if subject.sort is Sort.ROUTER else "HAMAN_GROUP"
            return common | {noun: subject.name, "HAMAN_ROLE": role, "HAMAN_PRIORITY": str(priority)}
        case Sort.SERVICE:
            return common | {"HAMAN_SERVICE": subject.name}
        case Sort.SPLIT:
            over = transition.after == NONE
            rivals = transition.before if over else transition.after
            phase = "end" if over else "begin"
            return common | {
                "HAMAN_ROUTER": subject.name,
                "HAMAN_SPLIT": phase,
                "HAMAN_RIVAL": rivals,
                "HAMAN_PRIORITY": str(priority),
            }
        case Sort.SITE:
            return common | {"HAMAN_SERVICE": subject.name, "HAMAN_SITE": transition.after}
        case Sort.SERVER:
            service, _, rest = subject.name.partition("/")
            server, _, port = rest.rpartition(":")
            return common | {"HAMAN_SERVICE": service, "HAMAN_SERVER": server, "HAMAN_PORT": port}
