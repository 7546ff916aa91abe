"""The director process of one elector, as far as elections depend on it: it hands over the configuration, says when
this node is ready, judges the tracker, asks the arbiter, and takes the VIPs off the NIC when its elector is dead or
stands still.

What passes is what passes between the two processes (`haman.model.elector`). The rest of a director (checks, IPVS,
hooks) is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from haman.elector.child import BACK_OFF
from haman.elector.process import GIVE_UP
from haman.model.arbiter import TRACKER
from haman.model.elector import (
    AskArbiter,
    Configure,
    Covered,
    Happened,
    Heartbeat,
    Maintenance,
    Readiness,
    Roles,
    Stopping,
    Verdicts,
)
from haman.model.kernel import AddressKey, Kernel
from haman.model.trackers import Standing, Verdict
from haman.model.transition import Role
from haman.plan import desired
from haman.plan.diff import diff
from haman.plan.ops import Remove
from haman.plan.ownership import of_elector
from haman.simulation import arbitration
from haman.simulation.cluster import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.elector.child import Listener
    from haman.model.elector import ElectorConfig, Message
    from haman.model.transition import Transition
    from haman.simulation.host import Host
    from haman.simulation.timeline import Timeline

BOOT = 0.03
"""Seconds from its start until it has read its file, and as many until the servers are checked."""

WITHDRAWAL = 0.002
"""Seconds from noticing that the elector is gone until the VIPs are off the NIC."""

FAREWELL = 0.005
RESTART = 0.2
"""Seconds until it is started again; after GIVE_UP deaths it is the longest back-off there is."""

STEADY = 1.0
"""Seconds of life after which a death is the first one again, as in `haman.elector.child`."""


class Elder(arbitration.Elder, Protocol):
    """The process that started it."""

    host: Host
    fault: bool
    interval: float

    def prepared(self, router: str) -> bool: ...

    def covered(self) -> dict[str, tuple[str, ...]]:
        """By router, who could serve it at once."""

    def slice(self) -> ElectorConfig: ...

    def post(self, call: Callable[[], None]) -> None: ...

    def reported(self, roles: Roles) -> None: ...

    def told(self, transition: Transition) -> None: ...


class Companion:
    """Plays `elector.machine.Director`."""

    def __init__(self, elder: Elder, listener: Listener, timeline: Timeline) -> None:
        self._elder = elder
        self._listener = listener
        self._timeline = timeline
        self._life = 0
        self._wanted = True
        self._patience = 10.0
        self._born = self._beat = timeline.now
        self._config: ElectorConfig | None = None
        self._faulty: set[str] = set()  # routers
        self.arbiter: arbitration.Asking | None = None
        self.pid: int | None = None
        self.failures = 0
        self.covered: dict[str, tuple[str, ...]] = {}  # by router, who could serve it when that was heard of last
        self.in_order = True
        self.ready_since: float | None = None  # when it has reported for the first time in this life

    # -- Director: what the elector asks ----------------------------------------------------------------------------

    def start(self) -> None:
        self._life += 1
        self.pid = self._life
        self._born = self._beat = self._timeline.now
        self.arbiter = None
        self._listener.child_started()
        if self._elder.host.crippled:
            self._later(BOOT / 2, lambda: self.die("was killed by SIGSEGV", -11))
        self._later(BOOT, self.configure)
        self._later(2 * BOOT, self.report)

    def send(self, message: Message) -> None:
        if isinstance(message, Roles):
            self._elder.reported(message)
            faulty = {report.router for report in message.roles if report.role is Role.FAULT}
            back, self._faulty = self._faulty - faulty, faulty
            if self.pid is not None and back:  # their servers were checked since
                self._later(BOOT, self.report)
        if self.pid is None:
            return
        if isinstance(message, Heartbeat):
            self._beat, self._patience = self._timeline.now, message.patience
        elif isinstance(message, Happened):
            self._elder.told(message.transition)
        elif isinstance(message, AskArbiter):
            self._ask(message)
        elif isinstance(message, Stopping):
            self._later(FAREWELL, lambda: self.die("ended", 0))

    def watch(self) -> None:
        pass

    def kill(self, why: str) -> None:
        if self.pid is not None:
            self.die(why, None)

    def retire(self) -> None:
        self._wanted = False

    # -- what the story does to it ----------------------------------------------------------------------------------

    def configure(self) -> None:
        """Reads the file, and says what it says."""
        config = self._config = self._elder.slice()
        self.obey()
        leader = config.routers[0]

        def told() -> None:
            self._elder.interval = leader.advert_interval
            self._listener.child_said(Configure(config=config))

        self._say(told)
        if leader.arbiter is not None and self.arbiter is None:
            self.arbiter = arbitration.Asking(
                self._elder,
                others=self._elder.host.others,
                interval=leader.advert_interval,
                strict=leader.arbiter.strict,
                later=self._later,
                changed=self.judge,
            )
        self.judge()

    def report(self) -> None:
        if self._config is None:
            return
        names = [router.name for router in self._config.routers]
        waiting = {name: "checks, or an order" for name in names if not self._elder.prepared(name)}
        message = Readiness(generation=self._config.generation, waiting=waiting)
        self._say(lambda: self._listener.child_said(message))
        if self.pid is not None and self.ready_since is None:
            self.ready_since = self._timeline.now

    def report_soon(self) -> None:
        """As at a start: for who is in the middle of hearing from the elector."""
        self._later(0.0, self.report)

    def obey(self) -> None:
        """The operator's order, which may have been given in an earlier life."""
        self.tell(Maintenance(why="ordered by the story" if self._elder.host.maintenance else None))

    def tell(self, message: Message) -> None:
        self._say(lambda: self._listener.child_said(message))

    def hear(self, other: str, reached: bool | None) -> None:
        """What another director says of the arbiter."""
        if self.pid is not None and self.arbiter is not None:
            self.arbiter.heard[other] = reached

    @property
    def in_charge(self) -> bool:
        """It lives, and has its configuration."""
        return self.pid is not None and self._config is not None

    def judge(self) -> None:
        if self._config is None:
            return
        standing = Standing.DOWN if self._elder.fault else Standing.UP
        verdict = Verdict(standing=standing, why="said by the story")
        arbiter = None if self.arbiter is None else self.arbiter.verdict
        known = {SERVICE: verdict} if arbiter is None else {SERVICE: verdict, TRACKER: arbiter}
        message = Verdicts(generation=self._config.generation, trackers=known)
        self._say(lambda: self._listener.child_said(message))

    def _ask(self, question: AskArbiter) -> None:
        if self.arbiter is not None:
            self.arbiter.answer(question, self.tell)

    def die(self, why: str, code: int | None) -> None:
        if self.pid is None:
            return
        self.perish()
        lived = self._timeline.now - self._born
        self.failures = 1 if lived >= STEADY else self.failures + 1
        if lived > 2 * BOOT:
            by = self.covered = self._elder.covered()
            self._elder.post(lambda: self._listener.child_said(Covered(by=by)))
        if self._wanted:
            after = RESTART if self.failures < GIVE_UP else BACK_OFF[-1]
            self._timeline.after(after, lambda: self._elder.post(self._again))
        self._elder.post(lambda: self._listener.child_gone(why, code))

    def elector_froze(self) -> None:
        """Its heart has stopped beating: in a while that will be noticed, unless it goes on before."""
        beat = self._beat

        def look() -> None:
            if self.pid is not None and self._beat == beat:
                self._withdraw()

        self._timeline.at(self._beat + self._patience, look)

    def perish(self) -> None:
        """SIGKILL, of which there is nobody to hear."""
        self.pid = self.ready_since = None
        self._life += 1

    def elector_died(self) -> None:
        """The socket says so at once."""
        if self.pid is not None:
            self._timeline.after(WITHDRAWAL, self._withdraw)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _again(self) -> None:
        if self.pid is None and self._wanted:
            self.start()

    def _say(self, call: Callable[[], None]) -> None:
        if self.pid is not None:
            self._elder.post(call)

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        life = self._life

        def if_alive() -> None:
            if self._life == life:
                do()

        self._elder.host.later(seconds, if_alive)

    def _withdraw(self) -> None:
        host = self._elder.host
        if host.running and self._config is not None:
            ours = of_elector(self._config, host.remembered)
            ops = diff(desired.addresses(self._config, {}), Kernel(addresses=dict(host.addresses)), ours)
            gone = [op for op in ops if isinstance(op, Remove) and isinstance(op.key, AddressKey)]
            host.apply([op for op in gone if op.key.device != "lo"], "the director")  # type: ignore[union-attr]
        self.die("withdrew", 1)
