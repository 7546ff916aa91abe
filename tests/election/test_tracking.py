from __future__ import annotations

from haman.election import tracking
from haman.election.events import Assessed
from haman.model.cluster import TrackedInterface
from tests.election.support import config

PLAIN = config()
TRACKING = config(
    track=(
        TrackedInterface(interface="eth1"),
        TrackedInterface(interface="eth2", penalty=30),
        TrackedInterface(interface="eth3", penalty=20),
        TrackedInterface(interface="eth4"),
    )
)
UP = dict.fromkeys(("eth0", "eth1", "eth2", "eth3", "eth4"), True)


def test_all_well() -> None:
    assert tracking.assess(PLAIN, UP) == Assessed(None, 0)
    assert tracking.assess(TRACKING, UP) == Assessed(None, 0)


def test_its_own_interface_is_always_tracked() -> None:
    assert tracking.assess(PLAIN, UP | {"eth0": False}) == Assessed("interface eth0 has no carrier", deaf=True)
    assert tracking.assess(PLAIN, {}) == Assessed("interface eth0 does not exist", deaf=True)


def test_the_own_interface_comes_first() -> None:
    assert tracking.assess(TRACKING, {"eth1": False}) == Assessed("interface eth0 does not exist", deaf=True)


def test_a_tracked_interface_is_a_fault() -> None:
    assert tracking.assess(TRACKING, UP | {"eth1": False}) == Assessed("interface eth1 has no carrier")


def test_all_faults_are_named() -> None:
    carrier = {"eth0": True, "eth1": False, "eth2": True, "eth3": True}
    words = "interface eth1 has no carrier; interface eth4 does not exist"
    assert tracking.assess(TRACKING, carrier) == Assessed(words)


def test_penalties_add_up() -> None:
    assert tracking.assess(TRACKING, UP | {"eth2": False}) == Assessed(None, 30)
    assert tracking.assess(TRACKING, UP | {"eth2": False, "eth3": False}) == Assessed(None, 50)


def test_a_fault_keeps_the_penalties_beside_it() -> None:
    carrier = UP | {"eth1": False, "eth2": False}
    assert tracking.assess(TRACKING, carrier) == Assessed("interface eth1 has no carrier", 30)


def test_other_interfaces_do_not_matter() -> None:
    assert tracking.assess(PLAIN, UP | {"eth1": False, "eth9": False}) == Assessed(None, 0)
