"""One virtual router: RFC 9568, section 6.

Rule 1: every transition of the election is in this file.
Rule 2: nothing here reads a clock, opens a socket or logs; time comes in as ``now``, and everything to be done
goes out as effects. Addresses are no effect: they follow from `Router.holds`.

Theory of operation. The RFC's three states are Down (its Initialize), Standby (its Backup) and Active. haman adds:

* `Leaving`: an active router that was asked to stop, or must, has said so (priority 0) and goes on serving until its
  successor speaks, a linger longer, so that no moment has nobody on the VIP. It is still active to the world.
  A role that is only `offered` is kept when nobody takes it.
* Standby with `linger_until`: the same courtesy after a better router has taken over.
* Standby with `adopting`: after a restart the VIP may still lie on the NIC. It stays there while nobody else is
  heard, and is kept if this node becomes active; the first advertisement of a peer takes it off, a linger later. It
  stays as well while a fault is only `pending`.
* Preemption only once this node is `ready`, and after the operator's delay. A fault may have been a cable, and what
  was checked meanwhile is worth nothing: after it the node has to be called ready anew. A standby that is not ready is
  patient for one interval more than the RFC says, so that a ready one of any priority goes first; unless it is
  `eager`: what it still waits for makes it no worse than others at serving.
* The last word to the neighbours is the active router's. Whoever takes itself for active tells them its own hardware
  address. So each word of a rival is followed by an announcement, at once or as soon as the limit allows (`owed`). And
  a router that was active, and left without hearing of a successor, may be what the neighbours still believe: when it
  first hears an active router again, it says so in one advertisement of the lowest priority, which that one answers.
  So does one that was killed, and has found its VIP on the NIC.
  So does one that is leaving, when it first hears its successor, which may have been active already, behind a cut, and
  have heard no goodbye. One that took over because of it knows (`Active.predecessor`), and just advertises.
* Two families, one election. A router with IPv4 and IPv6 addresses advertises over both, and what it hears over either
  drives this one machine. Equal priorities are a tie between two addresses, and those of one family may order two
  routers differently than those of the other. So the leading family (IPv4) decides; see `_aside` for a rival that is
  heard over the other one alone.

* An arbiter, where there is one, has a say before a standby takes the role from one that is silent: see `gate`.

The frozen-node rule. A process that was stopped, or a virtual machine that was paused, for longer than its peers'
patience must not speak first: a peer may be active by now. So when an event finds an active router that has not
advertised for `parameters.patience`, or a standby whose deadline passed that long ago, silence proves nothing: it
gives up the role (no goodbye: that would pull down whoever is active now) and listens for a whole
Active_Down_Interval. The addresses stay on the NIC meanwhile, as after a restart, if the stall was so short that a
peer may still be waiting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from haman.election import gate, parameters
from haman.election.effects import Advertise, Announce, Ask, Changed, Effect, Rivalled
from haman.election.events import Assessed, Event, Heard, Offer, Readiness, Reconfigured, Ruled, Start, Stop, Tick
from haman.election.parameters import PRIORITY_LEAVING, PRIORITY_LOWEST, PRIORITY_OWNER
from haman.election.states import RIVALS, Active, Down, Leaving, Peer, Standby, State, Tie, deadline, peer, role
from haman.model.transition import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.election.gate import Ruling
    from haman.model.addresses import Address
    from haman.model.elector import RouterConfig


class Router:
    """`handle(event, now)` gives effects to carry out in order; `deadline` is when to come back with a Tick."""

    def __init__(self, config: RouterConfig, *, adopting: bool = False, believed: bool = False) -> None:
        """adopting: the VIP may be on the NIC from an earlier life of this process. believed: it is, so that the
        neighbours may still take this node for the active one."""
        self.config = config
        self.state: State = Down()
        self.since = 0.0
        self.why = "not started"
        self._adopting = adopting
        self._assessed = Assessed(None)
        self._waiting: str | None = "the director has not reported yet"
        self._eager = False
        self._eligible_since: float | None = None
        self._ruling: Ruling | None = None  # the arbiter's last
        self._believed = believed  # by neighbours, though it is not active, and nobody who is knows of it

    # -- what others may ask -------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        return role(self.state)

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
    def announces(self) -> bool:
        """May neighbours be told that the addresses are here? Not in a linger: by then a successor has the word."""
        match self.state:
            case Active() | Leaving(successor=None):
                return True
            case Standby() | Leaving() | Down():
                return False

    @property
    def deadline(self) -> float | None:
        return deadline(self.state, self._reluctance, self._question)

    @property
    def priority(self) -> int:
        """After tracking; what advertisements carry."""
        return parameters.effective(self.config.priority, self._assessed.penalty)

    @property
    def peer(self) -> Peer | None:
        return peer(self.state)

    @property
    def rival(self) -> Peer | None:
        """Who else is active for longer than a role takes to change hands."""
        return self.state.peer if isinstance(self.state, Active) and self.state.rival_until is not None else None

    @property
    def held(self) -> str | None:
        """Why the arbiter keeps it from taking the role, though its time has come."""
        return self.state.held or None if isinstance(self.state, Standby) else None

    @property
    def waiting(self) -> str | None:
        """What keeps this node from taking the role from a living peer."""
        return self._waiting

    @property
    def eager(self) -> bool:
        return self._eager

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
            case Offer(why):
                yield from self._offer(why, now)
            case Heard():
                yield from self._heard(event, now)
            case Tick():
                yield from self._tick(now)
            case Assessed():
                yield from self._assess(event, now)
            case Readiness():
                yield from self._ready(event, now)
            case Reconfigured(config):
                yield from self._reconfigure(config, now)
            case Ruled(ruling):
                yield from self._ruled(ruling, now)
            case _:
                assert_never(event)

    # -- 6.4.1 Initialize ------------------------------------------------------------------------------------

    def _start(self, now: float) -> Iterator[Effect]:
        if isinstance(self.state, Leaving) and self.state.fault is None:
            yield from self._stay(self.state, now, "the operator wants it to stay after all")
            return
        if self.role is not Role.STOPPED:
            return
        adopting, self._adopting = self._adopting, False
        if self._assessed.fault is not None:
            self._adopting = adopting and self._assessed.pending
            yield from self._to(Down(self._assessed.fault), now, "fault", self._assessed.fault)
            return
        # "If the Priority = 255 ... Send an ADVERTISEMENT ... Transition to the {Active} state"
        if self.priority == PRIORITY_OWNER and self._waiting is None and self.config.arbiter is None:
            yield from self._take_over(now, "owner", "this node owns the address (priority 255)")
            return
        # "Set the Active_Down_Timer to Active_Down_Interval. Transition to the {Backup} state"
        yield from self._listen(now, "start", "listening before it speaks", adopting=adopting)

    # -- 6.4.2 Backup, 6.4.3 Active: an advertisement -----------------------------------------------------------

    def _heard(self, event: Heard, now: float) -> Iterator[Effect]:
        advert = event.advertisement
        peer = self._peer(event, now)
        match self.state:
            # "If the Priority in the ADVERTISEMENT is 0, then: Set the Active_Down_Timer to Skew_Time"
            case Standby() as standby if advert.priority == PRIORITY_LEAVING:
                soon = now + self._skew(self._interval(standby))
                if standby.peer is not None and standby.peer.priority == PRIORITY_LEAVING:
                    # Said again: what a late timer has left of the skew must not start anew each time.
                    soon = min(soon, standby.active_down_at)
                self.state = replace(standby, active_down_at=soon, preempt_at=None, peer=peer, held=None)
            case Standby(peer=Peer(priority=parameters.PRIORITY_LEAVING, address=giver)) if _confesses(peer, giver):
                pass  # it has not come back: whoever takes the role has not been heard yet
            case Standby() as standby if self._would_preempt(advert.priority):
                self.state = self._weigh_preemption(standby, peer, now)
                yield from self._confess(peer)
            # "If Preempt_Mode is False, or if the Priority in the ADVERTISEMENT is greater than or equal to the
            # local Priority, then: Set Active_Adver_Interval to Max Advertise Interval contained in the ADVERTISEMENT"
            case Standby() as standby:
                self.state = self._defer(standby, peer, now)
                yield from self._confess(peer)
            # "If an ADVERTISEMENT is received with priority 0: Send an ADVERTISEMENT. Reset the Adver_Timer"
            case Active() as active if advert.priority == PRIORITY_LEAVING:
                yield self._advertise(active, now)
                yield from self._announce_against(peer, now)
            # "If the Priority in the ADVERTISEMENT is greater than the local Priority, or the Priority ... is equal
            # ... and the primary IPvX address of the sender is greater than the local primary IPvX address"
            case Active() if advert.priority > self.priority:
                why = f"{event.source} advertises priority {advert.priority}, ours is {self.priority}"
                yield from self._yield(peer, now, "priority_higher", why)
            case Active() as active if advert.priority == self.priority and not event.leads:
                yield from self._aside(active, event, peer, now)
            case Active() if advert.priority == self.priority and _higher(event):
                why = f"{event.source} advertises our own priority {self.priority}, and its address is higher than"
                yield from self._yield(peer, now, "address_higher", f"{why} {event.own}")
            # "... else: Discard the ADVERTISEMENT. Send an ADVERTISEMENT immediately to assert the {Active} state to
            # the sending VRRP Router and to any learning bridges of the correct location of the Active Router."
            case Active() as active:
                tie = None if advert.priority == self.priority else active.tie
                active = replace(active, peer=peer, tie=tie, rival_until=self._rival_until(active, peer, now))
                yield self._advertise(active, now)
                if not self._inherited(active, peer, now):
                    yield from self._announce_against(peer, now)
            case Leaving() as leaving if advert.priority != PRIORITY_LEAVING and leaving.successor is None:
                release = min(leaving.release_at, now + self.config.linger)
                self.state = replace(leaving, successor=peer, release_at=release)
                yield _confession(peer)
            case Leaving() as leaving if advert.priority != PRIORITY_LEAVING:
                self.state = replace(leaving, successor=peer)  # its silence counts from its last word
            case Down(fault=str()) if advert.priority != PRIORITY_LEAVING:
                self._adopting = False
                yield from self._confess(peer)
            case Leaving() | Down():
                pass

    def _aside(self, active: Active, event: Heard, peer: Peer, now: float) -> Iterator[Effect]:
        """Two active routers of one priority, and this word of the other came over the following family.

        If we hear it over the leading family as well, that one decides, so this word alone changes nothing. If we do
        not, the leading family is broken between us, one way or both, and time decides: the lower address yields
        after the shortest patience (of the slower of the two), the higher one, should the other still be there, after
        twice that. Either the leading family works one way, and whoever hears the other decides there and at once, or
        it works no way, and both use this rule: never do both stay, and never do both yield. Until then no
        advertisement is sent in answer: two that answered one another would do so without end.
        """
        patience = parameters.patience(max(self.config.advert_interval, peer.interval))
        tie, higher = active.tie, _higher(event)
        since = now if tie is None or now - tie.at > patience else tie.since
        tie = Tie(since, now, patience)
        if now - tie.since >= (patience if higher else 2 * patience):
            why = f"{event.source} has advertised our own priority {self.priority} for {now - tie.since:.3g} s, over"
            why = f"{why} IPv{event.source.version} alone"
            yield from self._yield(peer, now, "address_higher" if higher else "tie_unsettled", why)
            return
        self.state = replace(active, peer=peer, tie=tie, rival_until=self._rival_until(active, peer, now))
        if not higher and tie.since == now:
            yield from self._announce_against(peer, now)

    def _rival_until(self, active: Active, peer: Peer, now: float) -> float | None:
        """Whoever loses the role in good order has its last word within an Active_Down_Interval. Who speaks as active
        later than that took itself for alone. Who confesses (`_confess`) only was active: it counts for nothing."""
        if now - self.since <= self._active_down(self.config.advert_interval) or peer.priority == PRIORITY_LOWEST:
            return active.rival_until
        return now + parameters.longest_patience(max(self.config.advert_interval, peer.interval))

    def _outlasted(self, now: float) -> Iterator[Effect]:
        """The other side of a tie over the following family has gone silent: it yielded, and had told the neighbours
        its own hardware address, perhaps later than we told them ours."""
        assert isinstance(self.state, Active)
        self.state = _announced(replace(self.state, tie=None), now)
        yield Announce()

    def _confess(self, active: Peer) -> Iterator[Effect]:
        """`active` is to announce its addresses again, since the neighbours may take us for it."""
        if self._believed:
            self._believed = False
            yield _confession(active)

    def _inherited(self, active: Active, peer: Peer, now: float) -> bool:
        """Whoever gave us the role says that it was there: we know, and have told the neighbours since. But if it heard
        our second word first, it may have announced after us."""
        giver = active.predecessor
        return giver is not None and _confesses(peer, giver) and now - self.since < self.config.advert_interval

    def _peer(self, event: Heard, now: float) -> Peer:
        """The sender, under the name it has in the leading family as long as it is heard there too: else the name
        would change with each advertisement."""
        advert, known = event.advertisement, self.peer
        heard = Peer(event.source, advert.priority, advert.interval, now, now)
        if (
            known is None
            or event.leads
            or known.address.version == event.source.version
            or known.priority != advert.priority
            or now - known.named_at > parameters.patience(advert.interval)
        ):
            return heard
        return replace(heard, address=known.address, named_at=known.named_at)

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
            return replace(standby, peer=peer, linger_until=self._linger(standby, now))
        return replace(
            self._defer(standby, peer, now),
            preempt_at=max(at, now),
            first_asked=standby.first_asked,
            asked=standby.asked,
            living=standby.living,
            held=standby.held if standby.living else None,  # what was said of a silence that is over
        )

    def _weigh_again(self, standby: Standby) -> None:
        """Priority, readiness or settings have changed, and with them perhaps the right to preempt. The next
        advertisement is weighed afresh; without the right, the last one counts after all."""
        peer, down = standby.peer, standby.active_down_at
        if peer is not None and peer.priority != PRIORITY_LEAVING and not self._would_preempt(peer.priority):
            self._eligible_since = None
            down = max(down, peer.at + self._active_down(peer.interval))
        if down != standby.active_down_at:
            standby = replace(standby, first_asked=None, asked=None, held=None)
        self.state = replace(standby, active_down_at=down, preempt_at=None)

    def _defer(self, standby: Standby, peer: Peer, now: float) -> Standby:
        if peer.priority >= self.priority:
            self._eligible_since = None
        down = now + self._active_down(peer.interval)
        linger = self._linger(standby, now)
        return Standby(down, peer, linger_until=linger, adopting=standby.adopting)

    def _linger(self, standby: Standby, now: float) -> float | None:
        """An adopted address goes like that of a router which was beaten: its successor may have only just spoken."""
        if standby.adopting and standby.linger_until is None:
            return now + self.config.linger
        return standby.linger_until

    # -- timers ------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> Iterator[Effect]:
        match self.state:
            case Standby() as standby:
                if standby.linger_until is not None and now >= standby.linger_until:
                    self.state = standby = replace(standby, linger_until=None, adopting=False)
                if self._question is not None and now >= self._question:
                    standby = self._questioned(standby, now)
                    yield Ask(now, self._interval(standby), standby.living)
                yield from self._if_time_has_come(standby, now)
            case Active() as active:
                # "If the Adver_Timer fires, then: Send an ADVERTISEMENT. Reset the Adver_Timer to
                # Advertisement_Interval"
                if now >= active.advertise_at:
                    yield self._advertise(active, now, scheduled=active.advertise_at)
                    if active.tie is not None and now - active.tie.at > active.tie.patience:
                        yield from self._outlasted(now)
                yield from self._pay(now)
                if active.rival_until is not None and now >= active.rival_until and isinstance(self.state, Active):
                    self.state = replace(self.state, rival_until=None)
            case Leaving(offered=True) as leaving if now >= leaving.release_at:
                yield from self._offered(leaving, now)
            case Leaving() as leaving if now >= leaving.release_at:
                after = "no successor was heard" if leaving.successor is None else f"{leaving.successor.address} serves"
                cause = "stop" if leaving.fault is None else "fault"
                if leaving.successor is None and not self._slept(leaving, now):
                    # It may have been cut off, and no more: whoever serves is to tell the neighbours of itself.
                    yield Advertise(PRIORITY_LEAVING)
                yield from self._to(Down(leaving.fault), now, cause, f"{leaving.why}; {after}")
            # A goodbye can be lost. Saying it again restarts the peers' skew, which is below one interval.
            case Leaving() as leaving if now >= leaving.goodbye_at:
                again = now + self.config.advert_interval if leaving.successor is None else leaving.release_at
                self.state = replace(leaving, goodbye_at=again)
                if leaving.successor is None:
                    yield Advertise(PRIORITY_LEAVING)
            case Leaving() | Down():
                pass

    def _if_time_has_come(self, standby: Standby, now: float) -> Iterator[Effect]:
        # "If the Active_Down_Timer fires, then: Send an ADVERTISEMENT. ... Transition to the {Active} state"
        if now >= standby.active_down_at + self._reluctance:
            cause, why = self._silence(standby, now)
        elif standby.preempt_at is not None and now >= standby.preempt_at:
            cause, why = "preempting", self._preempting(standby)
        else:
            return
        verdict: gate.Leave | gate.Wait | gate.Refusal = gate.Leave()
        strict = self.config.arbiter is not None and self.config.arbiter.strict
        if self.config.arbiter is not None and gate.needed(standby):
            verdict = gate.judge(standby, self._ruling, self._interval(standby), now, strict=strict)
            if standby.living and cause != "preempting":
                verdict = gate.Wait()  # what was said while the other one lived was about that
        match verdict:
            case gate.Leave() if standby.held:
                # What kept it from the arbiter may have kept it from the active router too: that one has its time to be
                # heard now.
                down = now + self._active_down(self._interval(standby))
                self.state = Standby(down, standby.peer, standby.linger_until, adopting=standby.adopting)
            case gate.Leave(words):
                yield from self._take_over(now, cause, f"{why}; {words}" if words else why)
            case gate.Wait():
                self.state = replace(standby, held=standby.held or "")
            case gate.Refusal(words):
                adopting = standby.adopting and not strict
                held = f"{why}, but the arbiter says no: {words}"
                self.state = replace(standby, held=held, adopting=adopting)

    @property
    def _question(self) -> float | None:
        """When the arbiter is to be asked next."""
        if self.config.arbiter is None or not isinstance(self.state, Standby) or not gate.needed(self.state):
            return None
        standby, interval = self.state, self._interval(self.state)
        due = gate.asked_at(standby.active_down_at, self._skew(interval), interval)
        if standby.asked is None:
            return due if standby.preempt_at is None else min(due, standby.preempt_at)
        again = gate.again_at(standby.asked, interval)
        # What was asked of a router that lives says nothing of its silence: that is asked as soon as others ask it.
        return min(due, again) if standby.living and due > standby.asked else again

    def _questioned(self, standby: Standby, now: float) -> Standby:
        peer = standby.peer
        heard = peer is not None and now - peer.at < gate.OVERDUE * peer.interval
        living = heard and peer is not None and self._would_preempt(peer.priority)
        slept = standby.asked is not None and gate.is_late(standby.asked, self._interval(standby), now)
        anew = standby.first_asked is None or living != standby.living or slept
        first = now if anew else standby.first_asked
        self.state = standby = replace(standby, first_asked=first, asked=now, living=living)
        return standby

    def _ruled(self, ruling: Ruling, now: float) -> Iterator[Effect]:
        if self._ruling is None or ruling.asked >= self._ruling.asked:
            self._ruling = ruling
        if isinstance(self.state, Standby):
            yield from self._if_time_has_come(self.state, now)

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
        if event.pending and not isinstance(self.state, Down):
            # What a reload has added is judged in a moment. Until then nothing is known against a router that is up.
            event = replace(event, fault=None, pending=False)
        before, pending, self._assessed = self.priority, self._assessed.pending, event
        match self.state:
            case Down(fault=None):
                pass
            case Down(fault=str()) if event.fault is None:
                if not pending:
                    self._waiting, self._eager = "the servers have not been checked since the fault", False
                adopting, self._adopting = self._adopting, False
                why = "the fault is gone; listening before it speaks"
                yield from self._listen(now, "fault_cleared", why, adopting=adopting)
            case Down() as down:
                assert event.fault is not None
                self._adopting = self._adopting and event.pending
                self.state, self.why = replace(down, fault=event.fault), event.fault
            case Standby() if event.fault is not None:
                yield from self._to(Down(event.fault), now, "fault", event.fault)
            case Leaving(fault=None, offered=False) as leaving if event.deaf:
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
                yield from self._stay(leaving, now, "the fault is gone")
            case Leaving(fault=fault, offered=offered) as leaving if event.fault is not None and (fault or offered):
                self.state = replace(leaving, fault=event.fault, why=event.fault, offered=False)
                self.why = f"leaving: {event.fault}"
            case Standby() | Active() | Leaving():
                pass

    def _ready(self, event: Readiness, now: float) -> Iterator[Effect]:
        waiting, self._eager = event.waiting, event.eager
        changed, self._waiting = (waiting is None) != (self._waiting is None), waiting
        match self.state:
            case Standby() as standby if changed:
                self._weigh_again(standby)
                beaten = standby.peer is None or self._would_preempt(standby.peer.priority)
                free = self.config.arbiter is None or not gate.needed(standby)
                if waiting is None and self.priority == PRIORITY_OWNER and beaten and free:
                    yield from self._take_over(now, "owner", "this node owns the address (priority 255) and is ready")
            case Standby() | Active() | Leaving() | Down():
                pass

    def _reconfigure(self, config: RouterConfig, now: float) -> Iterator[Effect]:
        before, self.config = self.config, config
        if isinstance(self.state, Standby) and config.arbiter != before.arbiter:
            self.state = replace(self.state, first_asked=None, asked=None, held=None)
        moved = (config.interface, config.vrid) != (before.interface, before.vrid)
        match self.state:
            case Active() as active if config != before:
                yield self._advertise(active, now)
                # Later announcements are made by name, so a new name begins them anew.
                if (config.addresses, config.name) != (before.addresses, before.name):
                    self.state = _announced(self.state, now)
                    yield Announce()
            case Standby() as standby if moved:
                # What was heard, or not heard, in the old place says nothing about the new one.
                down = max(standby.active_down_at, now + self._active_down(config.advert_interval))
                self.state = replace(standby, active_down_at=down, preempt_at=None)
            case Standby(peer=None) as standby:
                down = min(standby.active_down_at, now + self._active_down(config.advert_interval))
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
                self.state = replace(leaving, fault=None, why=why, offered=False)
            case Standby() | Down(fault=str()):
                yield from self._to(Down(), now, "stop", why)
            case Down():
                pass

    # -- the moves ---------------------------------------------------------------------------------------------------

    def _frozen(self, now: float) -> Iterator[Effect]:
        match self.state:
            case Active() as active:
                gap, interval = now - active.advertised_at, self.config.advert_interval
                adopting = gap <= parameters.longest_patience(interval)  # a peer may just be about to take over
            case Standby() as standby:
                gap, interval = now - standby.active_down_at - self._reluctance, self._interval(standby)
                if standby.held is not None and standby.asked is not None:
                    gap = now - gate.again_at(standby.asked, interval)
                adopting = standby.adopting and standby.linger_until is None  # nobody was heard holding the VIP
            case Down() | Leaving():
                return
        if gap > parameters.patience(interval):
            why = f"this process stood still for {gap:.3g} s, longer than its peers' patience"
            yield from self._listen(now, "frozen", f"{why}; listening before it speaks", adopting=adopting)

    def _take_over(self, now: float, cause: str, why: str) -> Iterator[Effect]:
        """6.4.2: "Send an ADVERTISEMENT. ... Broadcast a gratuitous ARP message ... Set the Adver_Timer to
        Advertisement_Interval. Transition to the {Active} state"."""
        yield Advertise(self.priority)
        known = self.peer
        giver = known.address if known is not None and known.priority == PRIORITY_LEAVING else None
        active = Active(now + self.config.advert_interval, advertised_at=now, announced_at=now, predecessor=giver)
        yield from self._to(active, now, cause, why)
        yield Announce()

    def _yield(self, peer: Peer, now: float, cause: str, why: str) -> Iterator[Effect]:
        """6.4.3: "Cancel the Adver_Timer. Set Active_Adver_Interval ... Recompute the Skew_Time. Recompute the
        Active_Down_Interval. Set the Active_Down_Timer to Active_Down_Interval. Transition to the {Backup} state".

        One last advertisement goes out first. After a heal it may be the only one of ours that the winner hears, and
        only the winner can undo what we told the neighbours (keepalived: higher_prio_send_advert)."""
        yield Advertise(self.priority)
        down = now + self._active_down(peer.interval)
        yield from self._to(Standby(down, peer, linger_until=now + self.config.linger), now, cause, why)

    def _listen(self, now: float, cause: str, why: str, *, adopting: bool = False) -> Iterator[Effect]:
        down = now + self._active_down(self.config.advert_interval)
        yield from self._to(Standby(down, adopting=adopting), now, cause, why)

    def _leave(self, now: float, fault: str | None, why: str, *, offered: bool = False) -> Iterator[Effect]:
        interval = self.config.advert_interval
        release, again = now + parameters.leave_bound(interval), now + interval
        owed = self.state.owed if isinstance(self.state, Active) else ()
        self.state = Leaving(release, again, fault, why, offered=offered, owed=owed)
        self.why = f"leaving: {why}"
        yield Advertise(PRIORITY_LEAVING)

    def _offer(self, why: str, now: float) -> Iterator[Effect]:
        if isinstance(self.state, Active):
            yield from self._leave(now, None, why, offered=True)

    def _offered(self, leaving: Leaving, now: float) -> Iterator[Effect]:
        """The offer is over. Peers that heard it and stayed silent do not want the role, or exist no more; one that
        took it and is not heard is a second active router, and the election settles that."""
        peer = leaving.successor
        if peer is None and self._slept(leaving, now):
            why = f"{leaving.why}; this process stood still meanwhile, listening before it speaks"
            yield from self._listen(now, "frozen", why)
        elif peer is None:
            self.why = f"{leaving.why}; nobody took the role over"
            yield from self._resume(leaving, now)
        else:
            down = max(now, peer.at + parameters.active_down(self.priority, peer.interval))
            yield from self._to(Standby(down, peer), now, "offered", f"{leaving.why}; {peer.address} serves")

    def _stay(self, leaving: Leaving, now: float, why: str) -> Iterator[Effect]:
        """The reason to leave is gone, and this node still serves. While no successor has spoken it goes on: peers
        may exist no more, and if one is about to take over, the election settles it. A successor keeps the role."""
        peer = leaving.successor
        cause = "stop_cancelled" if leaving.fault is None else "fault_cleared"
        if peer is None and (now >= leaving.release_at or self._slept(leaving, now)):
            yield from self._listen(now, cause, f"{why}; listening before it speaks")
        elif peer is None:
            self.why = f"{why} before anybody took over; serving on"
            yield from self._resume(leaving, now)
        else:
            down = now + self._active_down(peer.interval)
            standby = Standby(down, peer, linger_until=leaving.release_at)
            yield from self._to(standby, now, cause, f"{why}; {peer.address} has taken over")

    def _slept(self, leaving: Leaving, now: float) -> bool:
        """The frozen-node rule for one that leaves: had it been awake, it would have said something by now."""
        due = min(leaving.goodbye_at, leaving.release_at)
        return now - due + self.config.advert_interval > parameters.patience(self.config.advert_interval)

    def _resume(self, leaving: Leaving, now: float) -> Iterator[Effect]:
        active = Active(now, advertised_at=now, announced_at=now, owed=leaving.owed)
        yield self._advertise(replace(active, announce_at=now if leaving.owed else None), now)
        yield from self._pay(now)

    def _advertise(self, active: Active, now: float, *, scheduled: float | None = None) -> Advertise:
        """Advertise and re-arm. A scheduled advertisement keeps to its grid, so that lateness does not add up."""
        interval = self.config.advert_interval
        following = (now if scheduled is None else scheduled) + interval
        self.state = replace(active, advertise_at=max(following, now + interval / 2), advertised_at=now)
        return Advertise(self.priority)

    def _announce_against(self, rival: Peer, now: float) -> Iterator[Effect]:
        """A rival that thought itself active has told the neighbours its own hardware address. Each rival is answered
        at once, but only once per Active_Down_Interval, so that one that cannot hear us does not make us flood the
        segment; nor do many, forged ones, that each speak once. The shorter of both intervals counts: so soon may a
        rival be active anew. What it says in between (it may have been restarted, and announced again) is answered
        when that time is over."""
        assert isinstance(self.state, Active)
        active = self.state
        interval = min(self.config.advert_interval, rival.interval)
        due = active.announced_at + self._active_down(interval)
        if now >= due:
            self.state = _announced(active, now, rival)
        elif rival.address not in active.rivals and len(active.rivals) < RIVALS:
            self.state = replace(active, rivals=active.rivals | {rival.address})
        else:
            others = tuple(each for each in active.owed if each.address != rival.address)
            at = due if active.announce_at is None else min(due, active.announce_at)
            self.state = replace(active, owed=(*others, rival)[:RIVALS], announce_at=at)
            return
        yield from _answer(rival)

    def _pay(self, now: float) -> Iterator[Effect]:
        """One announcement for all that is owed, once the limit allows."""
        match self.state:
            case Active(announce_at=float() as due, owed=owed) as active if now >= due:
                self.state = _announced(active, now, *owed)
                yield from _answer(*owed)
            case _:
                pass

    def _skew(self, interval: float) -> float:
        return parameters.skew(self.priority, interval, self.config.version)

    def _active_down(self, interval: float) -> float:
        return parameters.active_down(self.priority, interval, self.config.version)

    @property
    def _reluctance(self) -> float:
        """What a standby waits beyond its timer. The longest skew is below one interval, so with one interval more
        whoever is not ready goes after whoever is, and those that are not go in the order of their priorities."""
        if self._waiting is not None and not self._eager and isinstance(self.state, Standby):
            return self._interval(self.state)
        return 0.0

    def _interval(self, standby: Standby) -> float:
        """Active_Adver_Interval: the active router's, or ours while none was heard."""
        return self.config.advert_interval if standby.peer is None else standby.peer.interval

    def _to(self, state: State, now: float, cause: str, why: str) -> Iterator[Effect]:
        before = self.role
        if before is Role.ACTIVE:
            heir = self.state.successor if isinstance(self.state, Leaving) else peer(state)
            self._believed = heir is None
        self.state, self.since, self.why = state, now, why
        self._believed = self._believed and self.role is not Role.ACTIVE
        self._eligible_since = None
        yield Changed(before, self.role, cause, why)


def _higher(event: Heard) -> bool:
    """Is the sender's address above ours? They are compared as numbers, in network byte order (6.4.3)."""
    return event.own is None or int(event.source) > int(event.own)


def _confession(active: Peer) -> Advertise:
    """The word of one that was active to one that is. It carries the lowest priority, to win nothing by it; and not 0,
    upon which standbys get ready. Only an active router that has the lowest one itself could lose a tie by it: that
    one hears a goodbye, and its answer to that calms the standbys."""
    return Advertise(PRIORITY_LOWEST if active.priority > PRIORITY_LOWEST else PRIORITY_LEAVING)


def _confesses(peer: Peer, giver: Address) -> bool:
    """Is that the last word of `giver`, which has said goodbye? It says it over each family."""
    return peer.priority == PRIORITY_LOWEST and (peer.address == giver or peer.address.version != giver.version)


def _announced(active: Active, now: float, *answered: Peer) -> Active:
    """A new window of the limit on announcements, with nothing owed."""
    return replace(
        active, announced_at=now, rivals=frozenset(peer.address for peer in answered), owed=(), announce_at=None
    )


def _answer(*rivals: Peer) -> Iterator[Effect]:
    """One that is just leaving (priority 0) is answered, and is nobody's trouble any more."""
    yield Announce()
    for rival in rivals:
        if rival.priority != PRIORITY_LEAVING:
            yield Rivalled(rival.address, rival.priority)
