"""A new configuration for the same virtual router: what the peers must know is said at once, the role stays."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import TYPE_CHECKING

import pytest

from haman.election.events import Assessed, Reconfigured, Tick
from haman.model.routers import VirtualAddress
from haman.model.transition import Role
from tests.election.support import PREEMPT, active, config, heard, leaving, router, said, standby

if TYPE_CHECKING:
    from haman.model.elector import RouterConfig

MORE = (
    *config().addresses,
    VirtualAddress(interface=IPv4Interface("10.0.0.101/24"), device="eth0"),
)


def test_the_same_again_is_nothing() -> None:
    serving = active()
    assert serving.handle(Reconfigured(config()), 10.5) == []
    assert serving.deadline == 11.0


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (config(priority=50), "advertise 50"),
        (config(advert_interval=5.0), "advertise 100"),
        (config(preempt=PREEMPT), "advertise 100"),
        (config(addresses=MORE), "advertise 100, announce"),
    ],
)
def test_an_active_router_says_so_at_once(changed: RouterConfig, expected: str) -> None:
    serving = active()
    assert said(serving.handle(Reconfigured(changed), 10.5)) == expected
    assert (serving.role, serving.holds) == (Role.ACTIVE, True)
    assert serving.deadline == 10.5 + changed.advert_interval


def test_a_longer_interval_is_advertised_before_it_is_lived_by() -> None:
    """A standby that still counts with one second would take over within four."""
    serving = active()
    assert said(serving.handle(Reconfigured(config(advert_interval=40.95)), 10.5)) == "advertise 100"
    assert serving.deadline == 51.45


def test_a_standby_goes_on_by_its_active_routers_interval() -> None:
    waiting = standby((heard(200), 1.0))
    assert waiting.handle(Reconfigured(config(advert_interval=5.0)), 2.0) == []
    assert waiting.deadline == 4.609375
    waiting.handle(heard(200), 2.5)
    assert waiting.deadline == 6.109375


def test_a_standby_that_has_heard_nobody_uses_the_new_interval() -> None:
    waiting = standby(advert_interval=10.0)
    assert waiting.deadline == 36.09375
    waiting.handle(Reconfigured(config(advert_interval=1.0)), 2.0)
    assert waiting.deadline == 5.609375


def test_reconfiguring_again_and_again_puts_no_takeover_off() -> None:
    waiting = standby()
    for tenth in range(1, 36):
        waiting.handle(Reconfigured(config(priority=100 + tenth)), tenth / 10)
    assert waiting.deadline is not None
    assert waiting.deadline <= 3.609375


def test_a_new_priority_counts_from_the_next_advertisement() -> None:
    waiting = standby((heard(150), 1.0), preempt=PREEMPT)
    waiting.handle(Reconfigured(config(priority=200, preempt=PREEMPT)), 1.5)
    assert waiting.handle(heard(150), 2.0) == []
    assert said(waiting.handle(Tick(), 4.609375)) == "advertise 200, standby -> active (preempting), announce"


def test_a_leaving_router_goes_on_leaving() -> None:
    stopping = leaving()
    assert stopping.handle(Reconfigured(config(addresses=MORE)), 11.0) == []
    assert said(stopping.handle(Tick(), 13.0)) == "advertise 0, active -> stopped (stop)"


def test_a_stopped_router_takes_note() -> None:
    stopped = router()
    assert stopped.handle(Reconfigured(config(priority=7)), 1.0) == []
    assert stopped.priority == 7


# -- penalties: priority by tracking -----------------------------------------------------------------------------


def test_a_penalty_is_advertised_at_once() -> None:
    serving = active()
    assert said(serving.handle(Assessed(None, penalty=60), 10.5)) == "advertise 40"
    assert serving.deadline == 11.5
    assert said(serving.handle(Assessed(None, penalty=60), 10.75)) == ""
    assert said(serving.handle(Tick(), 11.5)) == "advertise 40"
    assert said(serving.handle(Assessed(None), 12.0)) == "advertise 100"


def test_a_penalty_never_makes_a_goodbye() -> None:
    """Priority 0 says that the router leaves; the lowest that tracking reaches is 1."""
    assert said(active().handle(Assessed(None, penalty=200), 10.5)) == "advertise 1"


def test_an_owner_takes_no_penalty() -> None:
    owner = active(priority=255)
    assert owner.handle(Assessed(None, penalty=60), 10.5) == []
    assert owner.priority == 255


def test_a_penalised_active_router_loses_to_its_peer() -> None:
    serving = active((Assessed(None, penalty=60), 10.5))
    assert said(serving.handle(heard(50), 10.75)) == "advertise 40, active -> standby (priority_higher)"


def test_a_penalty_before_the_start() -> None:
    assert standby((Assessed(None, penalty=60), 0.0)).priority == 40


# -- another place: VRID or interface ------------------------------------------------------------------------------


def test_an_active_router_goes_on_in_its_new_place_and_says_so_there() -> None:
    serving = active()
    assert said(serving.handle(Reconfigured(config(vrid=53)), 10.5)) == "advertise 100"
    assert (serving.role, serving.holds) == (Role.ACTIVE, True)


def test_a_standby_listens_a_whole_interval_in_its_new_place() -> None:
    waiting = standby((heard(150), 1.0))
    assert waiting.deadline == 4.609375
    assert waiting.handle(Reconfigured(config(vrid=53)), 3.0) == []
    assert waiting.deadline == 6.609375


def test_a_new_name_is_announced_since_later_rounds_go_by_name() -> None:
    assert said(active().handle(Reconfigured(config(name="front")), 10.5)) == "advertise 100, announce"
