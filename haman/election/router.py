"""One virtual router: RFC 9568, section 6.

Rule 1: every transition of the election is in this file.
Rule 2: nothing here reads a clock, opens a socket or logs; time comes in as ``now``, and everything to be done
goes out as effects. Addresses are no effect: they follow from `Router.holds`.

Theory of operation. The RFC's three states are Down (its Initialize), Standby (its Backup) and Active. haman adds:

* `Leaving`: an active router that was asked to stop, or must, has said so (priority 0) and goes on serving until its
  successor speaks, a linger longer, so that no moment has nobody on the VIP. It is still active to the world.
* Standby with `linger_until`: the same courtesy after a better router has taken over.
* Standby with `adopting`: after a restart the VIP may still lie on the NIC. It stays there while nobody else is
  heard, and is kept if this node becomes active; the first advertisement of a peer takes it off.
* Preemption only once this node is `ready`, and after the operator's delay.

The frozen-node rule. A process that was stopped, or a virtual machine that was paused, for longer than its peers'
patience must not speak first: a peer may be active by now. So when an event finds an active router that has not
advertised for `parameters.patience`, or a standby whose deadline passed that long ago, silence proves nothing: it
gives up the role (no goodbye: that would pull down whoever is active now) and listens for a whole
Active_Down_Interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from haman.election import parameters
from haman.election.effects import Advertise, Announce, Changed, Effect
from haman.election.events import Assessed, Event, Heard, Readiness, Reconfigured, Start, Stop, Tick
from haman.election.parameters import PRIORITY_LEAVING, PRIORITY_OWNER
from haman.model.transition import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

    from haman.model.elector import RouterConfig


@dataclass(frozen=True, slots=True)
class Peer:
    """The active router last heard: its interval decides our patience (section 6.1)."""

    address: IPv4Address
    priority: int
    interval: float
    at: float


@dataclass(frozen=True, slots=True)
class Down:
    """Stopped (fault None), or kept out of the election by a fault."""

    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Standby:
    active_down_at: float
    peer: Peer | None = None
    linger_until: float | None = None
    preempt_at: float | None = None
    adopting: bool = False


@dataclass(frozen=True, slots=True)
class Active:
    """`rivals`: who else was heard speaking as active since `announced_at`, each answered with an announcement."""

    advertise_at: float
    advertised_at: float
    announced_at: float
    peer: Peer | None = None
    rivals: frozenset[IPv4Address] = frozenset()


@dataclass(frozen=True, slots=True)
class Leaving:
    """Serving on until `release_at`; `fault` says where it goes then: None is a stop."""

    release_at: float
    goodbye_at: float
    fault: str | None
    why: str
    successor: Peer | None = None


State = Down | Standby | Active | Leaving


class Router:
    """`handle(event, now)` gives effects to carry out in order; `deadline` is when to come back with a Tick."""

    def __init__(self, config: RouterConfig, *, adopting: bool = False) -> None:
        """adopting: the VIP may be on the NIC from an earlier life of this process."""
        self.config = config
        self.state: State = Down()
        self.since = 0.0
        self.why = "not started"
        self._adopting = adopting
        self._assessed = Assessed(None)
        self._waiting: str | None = "the director has not reported yet"
        self._eligible_since: float | None = None

    # -- what others may ask -------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        match self.state:
            case Down(fault=None):
                return Role.STOPPED
            case Down():
                return Role.FAULT
            case Standby():
                return Role.STANDBY
            case Active() | Leaving():
                return Role.ACTIVE

    @property
    def holds(self) -> bool | None:
        """Must the addresses be on the NIC? None: leave them as they are found."""
        match self.state:
            case Active() | Leaving():
                return True
            case Standby(adopting=True):
                return None
            case Standby(linger_until=until):
                return until is not None
            case Down():
                return None if self._adopting else False

    @property
    def deadline(self) -> float | None:
        match self.state:
            case Down():
                return None
            case Standby() as standby:
                return min(
                    at for at in (standby.active_down_at, standby.linger_until, standby.preempt_at) if at is not None
                )
            case Active() as active:
                return active.advertise_at
            case Leaving() as leaving:
                return min(leaving.release_at, leaving.goodbye_at)

    @property
    def priority(self) -> int:
        """After tracking; what advertisements carry."""
        return parameters.effective(self.config.priority, self._assessed.penalty)

    @property
    def peer(self) -> Peer | None:
        match self.state:
            case Standby(peer=peer) | Active(peer=peer) | Leaving(successor=peer):
                return peer
            case Down():
                return None

    @property
    def waiting(self) -> str | None:
        """What keeps this node from taking the role from a living peer."""
        return self._waiting

    # -- the one entry --------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event at monotonic `now` (seconds). Everything received before `now` is handed in BEFORE a Tick."""
        return list(self._handle(event, now))

    def _handle(self, event: Event, now: float) -> Iterator[Effect]:
        yield from self._frozen(now)
        match event:
            case Start():
                yield from self._start(now)
            case Stop():
                yield from self._stop(now)
            case Heard():
                yield from self._heard(event, now)
            case Tick():
                yield from self._tick(now)
            case Assessed():
                yield from self._assess(event, now)
            case Readiness(waiting):
                yield from self._ready(waiting, now)
            case Reconfigured(config):
                yield from self._reconfigure(config, now)
            case _:
                assert_never(event)

    # -- 6.4.1 Initialize ------------------------------------------------------------------------------------

    def _start(self, now: float) -> Iterator[Effect]:
        if self.role is not Role.STOPPED:
            return
        adopting, self._adopting = self._adopting, False
        if self._assessed.fault is not None:
            yield from self._to(Down(self._assessed.fault), now, "fault", self._assessed.fault)
            return
        # "If the Priority = 255 ... Send an ADVERTISEMENT ... Transition to the {Active} state"
        if self.priority == PRIORITY_OWNER and self._waiting is None:
            yield from self._take_over(now, "owner", "this node owns the address (priority 255)")
            return
        # "Set the Active_Down_Timer to Active_Down_Interval. Transition to the {Backup} state"
        yield from self._listen(now, "start", "listening before it speaks", adopting=adopting)

    # -- 6.4.2 Backup, 6.4.3 Active: an advertisement -----------------------------------------------------------

    def _heard(self, event: Heard, now: float) -> Iterator[Effect]:
        advert = event.advertisement
        peer = Peer(event.source, advert.priority, advert.interval, now)
        match self.state:
            # "If the Priority in the ADVERTISEMENT is 0, then: Set the Active_Down_Timer to Skew_Time"
            case Standby() as standby if advert.priority == PRIORITY_LEAVING:
                soon = now + parameters.skew(self.priority, self._interval(standby))
                if standby.peer is not None and standby.peer.priority == PRIORITY_LEAVING:
                    # Said again: what a late timer has left of the skew must not start anew each time.
                    soon = min(soon, standby.active_down_at)
                self.state = replace(standby, active_down_at=soon, preempt_at=None, peer=peer)
            case Standby() as standby if self._would_preempt(advert.priority):
                self.state = self._weigh_preemption(standby, peer, now)
            # "If Preempt_Mode is False, or if the Priority in the ADVERTISEMENT is greater than or equal to the
            # local Priority, then: Set Active_Adver_Interval to Max Advertise Interval contained in the ADVERTISEMENT"
            case Standby() as standby:
                self.state = replace(self._defer(standby, peer, now), preempt_at=None)
            # "If an ADVERTISEMENT is received with priority 0: Send an ADVERTISEMENT. Reset the Adver_Timer"
            case Active() as active if advert.priority == PRIORITY_LEAVING:
                yield self._advertise(active, now)
                yield from self._announce_against(event.source, now)
            # "If the Priority in the ADVERTISEMENT is greater than the local Priority, or the Priority ... is equal
            # ... and the primary IPvX address of the sender is greater than the local primary IPvX address"
            case Active() if (advert.priority, event.source) > (self.priority, self.config.source):
                cause = "priority_higher" if advert.priority > self.priority else "address_higher"
                why = f"{event.source} advertises priority {advert.priority}, ours is {self.priority}"
                if advert.priority == self.priority:
                    why += f"; equal, and its address is higher than {self.config.source}"
                yield from self._yield(peer, now, cause, why)
            # "... else: Discard the ADVERTISEMENT. Send an ADVERTISEMENT immediately to assert the {Active} state to
            # the sending VRRP Router and to any learning bridges of the correct location of the Active Router."
            case Active() as active:
                yield self._advertise(replace(active, peer=peer), now)
                yield from self._announce_against(event.source, now)
            case Leaving() as leaving if advert.priority != PRIORITY_LEAVING and leaving.successor is None:
                release = min(leaving.release_at, now + self.config.linger)
                self.state = replace(leaving, successor=peer, release_at=release)
            case Leaving() | Down():
                pass

    def _would_preempt(self, heard: int) -> bool:
        """Section 6.1, Preempt_Mode: "The Router that owns the IPvX address(es) ... always preempts"."""
        allowed = self.config.preempt.allowed or self.priority == PRIORITY_OWNER
        return allowed and self._waiting is None and heard < self.priority

    def _weigh_preemption(self, standby: Standby, peer: Peer, now: float) -> Standby:
        """A worse router is active. With no delay its advertisement counts as silence, as the RFC says: the timer
        runs out. With a delay it is heeded until the delay, counted from when we could have preempted, is over."""
        since = self._eligible_since if self._eligible_since is not None else now
        self._eligible_since = since
        at = since + self.config.preempt.after
        if self.config.preempt.after <= 0:
            return replace(standby, peer=peer, adopting=False)
        return replace(self._defer(standby, peer, now), preempt_at=max(at, now))

    def _weigh_again(self, standby: Standby) -> None:
        """Priority, readiness or settings have changed, and with them perhaps the right to preempt. The next
        advertisement is weighed afresh; without the right, the last one counts after all."""
        peer, down = standby.peer, standby.active_down_at
        if peer is not None and peer.priority != PRIORITY_LEAVING and not self._would_preempt(peer.priority):
            self._eligible_since = None
            down = max(down, peer.at + parameters.active_down(self.priority, peer.interval))
        self.state = replace(standby, active_down_at=down, preempt_at=None)

    def _defer(self, standby: Standby, peer: Peer, now: float) -> Standby:
        if peer.priority >= self.priority:
            self._eligible_since = None
        down = now + parameters.active_down(self.priority, peer.interval)
        return replace(standby, active_down_at=down, peer=peer, adopting=False)

    # -- timers ------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> Iterator[Effect]:
        match self.state:
            case Standby() as standby:
                if standby.linger_until is not None and now >= standby.linger_until:
                    self.state = standby = replace(standby, linger_until=None)
                # "If the Active_Down_Timer fires, then: Send an ADVERTISEMENT. ... Transition to the {Active} state"
                if now >= standby.active_down_at:
                    yield from self._take_over(now, *self._silence(standby, now))
                elif standby.preempt_at is not None and now >= standby.preempt_at:
                    yield from self._take_over(now, "preempting", self._preempting(standby))
            # "If the Adver_Timer fires, then: Send an ADVERTISEMENT. Reset the Adver_Timer to Advertisement_Interval"
            case Active() as active if now >= active.advertise_at:
                yield self._advertise(active, now, scheduled=active.advertise_at)
            case Leaving() as leaving if now >= leaving.release_at:
                after = "no successor was heard" if leaving.successor is None else f"{leaving.successor.address} serves"
                cause = "stop" if leaving.fault is None else "fault"
                yield from self._to(Down(leaving.fault), now, cause, f"{leaving.why}; {after}")
            # A goodbye can be lost. Saying it again restarts the peers' skew, which is below one interval.
            case Leaving() as leaving if now >= leaving.goodbye_at:
                again = now + self.config.advert_interval if leaving.successor is None else leaving.release_at
                self.state = replace(leaving, goodbye_at=again)
                if leaving.successor is None:
                    yield Advertise(PRIORITY_LEAVING)
            case Active() | Leaving() | Down():
                pass

    def _silence(self, standby: Standby, now: float) -> tuple[str, str]:
        peer = standby.peer
        if peer is None:
            return "nobody_active", "no active router was heard"
        if peer.priority == PRIORITY_LEAVING:
            return "active_left", f"{peer.address} gave up the role (priority 0)"
        if self._would_preempt(peer.priority) and now - peer.at < parameters.patience(peer.interval):
            return "preempting", self._preempting(standby)
        return (
            "active_silent",
            f"nothing heard from {peer.address} (priority {peer.priority}) for {now - peer.at:.3g} s",
        )

    def _preempting(self, standby: Standby) -> str:
        assert standby.peer is not None
        return f"our priority {self.priority} is above the {standby.peer.priority} of {standby.peer.address}"

    # -- tracking, readiness, operator ----------------------------------------------------------------------------

    def _assess(self, event: Assessed, now: float) -> Iterator[Effect]:
        before, self._assessed = self.priority, event
        match self.state:
            case Down(fault=None):
                pass
            case Down(fault=str()) if event.fault is None:
                yield from self._listen(now, "fault_cleared", "the fault is gone; listening before it speaks")
            case Down() as down:
                assert event.fault is not None
                self.state, self.why = replace(down, fault=event.fault), event.fault
            case Standby() if event.fault is not None:
                yield from self._to(Down(event.fault), now, "fault", event.fault)
            case Leaving(fault=None) as leaving if event.deaf:
                yield from self._to(Down(), now, "stop", f"{leaving.why}; {event.fault}")
            case Active() | Leaving() if event.fault is not None and event.deaf:
                yield from self._to(Down(event.fault), now, "fault", event.fault)
            case Active() if event.fault is not None:
                yield from self._leave(now, event.fault, event.fault)
            case Active() as active if self.priority != before:
                yield self._advertise(active, now)
            case Standby() as standby if self.priority != before:
                self._weigh_again(standby)
            case Leaving(fault=str()) as leaving if event.fault is None:
                yield from self._stay(leaving, now)
            case Leaving(fault=str()) as leaving if event.fault is not None:
                self.state = replace(leaving, fault=event.fault)
            case Standby() | Active() | Leaving():
                pass

    def _ready(self, waiting: str | None, now: float) -> Iterator[Effect]:
        changed, self._waiting = (waiting is None) != (self._waiting is None), waiting
        match self.state:
            case Standby() as standby if changed:
                self._weigh_again(standby)
                beaten = standby.peer is None or self._would_preempt(standby.peer.priority)
                if waiting is None and self.priority == PRIORITY_OWNER and beaten:
                    yield from self._take_over(now, "owner", "this node owns the address (priority 255) and is ready")
            case Standby() | Active() | Leaving() | Down():
                pass

    def _reconfigure(self, config: RouterConfig, now: float) -> Iterator[Effect]:
        before, self.config = self.config, config
        match self.state:
            case Active() as active if config != before:
                yield self._advertise(active, now)
                if config.addresses != before.addresses:
                    self.state = replace(self.state, announced_at=now)
                    yield Announce()
            case Standby(peer=None) as standby:
                down = min(standby.active_down_at, now + parameters.active_down(self.priority, config.advert_interval))
                self.state = replace(standby, active_down_at=down)
            case Standby() as standby if config != before:
                self._weigh_again(standby)
            case Down() | Standby() | Active() | Leaving():
                pass

    def _stop(self, now: float) -> Iterator[Effect]:
        """6.4.3: "If a Shutdown event is received, then: Cancel the Adver_Timer. Send an ADVERTISEMENT with
        Priority = 0. Transition to the {Initialize} state", with the successor's first word in between."""
        why = "the operator stops this router"
        self._adopting = False
        match self.state:
            case Active():
                yield from self._leave(now, None, why)
            case Leaving() as leaving:
                self.state = replace(leaving, fault=None, why=why)
            case Standby() | Down(fault=str()):
                yield from self._to(Down(), now, "stop", why)
            case Down():
                pass

    # -- the moves ---------------------------------------------------------------------------------------------------

    def _frozen(self, now: float) -> Iterator[Effect]:
        adopting = False
        match self.state:
            case Active() as active:
                gap, interval = now - active.advertised_at, self.config.advert_interval
            case Standby() as standby:
                gap, interval = now - standby.active_down_at, self._interval(standby)
                adopting = standby.adopting  # still nobody was heard holding the VIP
            case Down() | Leaving():
                return
        if gap > parameters.patience(interval):
            why = f"this process stood still for {gap:.3g} s, longer than its peers' patience"
            yield from self._listen(now, "frozen", f"{why}; listening before it speaks", adopting=adopting)

    def _take_over(self, now: float, cause: str, why: str) -> Iterator[Effect]:
        """6.4.2: "Send an ADVERTISEMENT. ... Broadcast a gratuitous ARP message ... Set the Adver_Timer to
        Advertisement_Interval. Transition to the {Active} state"."""
        yield Advertise(self.priority)
        active = Active(now + self.config.advert_interval, advertised_at=now, announced_at=now)
        yield from self._to(active, now, cause, why)
        yield Announce()

    def _yield(self, peer: Peer, now: float, cause: str, why: str) -> Iterator[Effect]:
        """6.4.3: "Cancel the Adver_Timer. Set Active_Adver_Interval ... Recompute the Skew_Time. Recompute the
        Active_Down_Interval. Set the Active_Down_Timer to Active_Down_Interval. Transition to the {Backup} state".

        One last advertisement goes out first. After a heal it may be the only one of ours that the winner hears, and
        only the winner can undo what we told the neighbours (keepalived: higher_prio_send_advert)."""
        yield Advertise(self.priority)
        down = now + parameters.active_down(self.priority, peer.interval)
        yield from self._to(Standby(down, peer, linger_until=now + self.config.linger), now, cause, why)

    def _listen(self, now: float, cause: str, why: str, *, adopting: bool = False) -> Iterator[Effect]:
        down = now + parameters.active_down(self.priority, self.config.advert_interval)
        yield from self._to(Standby(down, adopting=adopting), now, cause, why)

    def _leave(self, now: float, fault: str | None, why: str) -> Iterator[Effect]:
        interval = self.config.advert_interval
        self.state = Leaving(now + parameters.leave_bound(interval), now + interval, fault, why)
        self.why = f"leaving: {why}"
        yield Advertise(PRIORITY_LEAVING)

    def _stay(self, leaving: Leaving, now: float) -> Iterator[Effect]:
        """The reason to leave is gone, and this node still serves. While no successor has spoken it goes on: peers
        may exist no more, and if one is about to take over, the election settles it. A successor keeps the role."""
        peer = leaving.successor
        if peer is None and now >= leaving.release_at:
            yield from self._listen(now, "fault_cleared", "the fault is gone; listening before it speaks")
        elif peer is None:
            self.why = "the fault is gone before anybody took over; serving on"
            yield self._advertise(Active(now, advertised_at=now, announced_at=now), now)
        else:
            down = now + parameters.active_down(self.priority, peer.interval)
            standby = Standby(down, peer, linger_until=leaving.release_at)
            yield from self._to(standby, now, "fault_cleared", f"the fault is gone; {peer.address} has taken over")

    def _advertise(self, active: Active, now: float, *, scheduled: float | None = None) -> Advertise:
        """Advertise and re-arm. A scheduled advertisement keeps to its grid, so that lateness does not add up."""
        interval = self.config.advert_interval
        following = (now if scheduled is None else scheduled) + interval
        self.state = replace(active, advertise_at=max(following, now + interval / 2), advertised_at=now)
        return Advertise(self.priority)

    def _announce_against(self, rival: IPv4Address, now: float) -> Iterator[Effect]:
        """A rival that thought itself active has told the neighbours its own hardware address. Each rival is answered
        at once, but only once per Active_Down_Interval, so that one that cannot hear us does not make us flood the
        segment."""
        assert isinstance(self.state, Active)
        silence = parameters.active_down(self.priority, self.config.advert_interval)
        if now - self.state.announced_at >= silence:
            self.state = replace(self.state, announced_at=now, rivals=frozenset({rival}))
            yield Announce()
        elif rival not in self.state.rivals:
            self.state = replace(self.state, rivals=self.state.rivals | {rival})
            yield Announce()

    def _interval(self, standby: Standby) -> float:
        """Active_Adver_Interval: the active router's, or ours while none was heard."""
        return self.config.advert_interval if standby.peer is None else standby.peer.interval

    def _to(self, state: State, now: float, cause: str, why: str) -> Iterator[Effect]:
        before = self.role
        self.state, self.since, self.why = state, now, why
        self._eligible_since = None
        yield Changed(before, self.role, cause, why)
