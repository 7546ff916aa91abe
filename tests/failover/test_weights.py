"""What the table holds while a site serves, drains or refuses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from haman.failover import choice as failover
from haman.failover.choice import Choice, Level
from haman.failover.weights import level, weighed
from haman.health import hysteresis
from haman.health.hysteresis import Health, Verdict
from haman.health.weights import Weighing
from haman.model.services import Forward, OnFailure, Protocol, Server, Service, Target
from haman.model.sites import Backup, Failover
from tests.health.support import CHECK, service, target

UP = hysteresis.assumed(0.0)
DOWN = Health(verdict=Verdict.DOWN, since=1.0, why="refused", cause="check_failed", checked=True, proven=True)
UNKNOWN = hysteresis.cold(0.0)


def backup(name: str, *weights: int) -> Backup:
    servers = {
        f"{name}{number}": Server(
            name=f"{name}{number}",
            address=IPv4Address(f"203.0.113.{number}"),
            weight=weight,
            forward=Forward.FULLNAT,
        )
        for number, weight in enumerate(weights, 1)
    }
    return Backup(name=name, servers=servers, check=CHECK)


def far(number: int, port: int = 80, site: str = "east") -> Target:
    return Target(f"web@{site}", f"{site}{number}", port)


def web(*weights: int, rules: Failover = Failover(), backups: tuple[Backup, ...] | None = None) -> Service:  # noqa: B008
    chosen = (backup("east", 1),) if backups is None else backups
    flags = frozenset({"mh-port", "mh-fallback"})
    return replace(service(*weights), flags=flags, backups=chosen, failover=rules)


def chosen(serving: int, *, is_open: bool = False) -> Choice:
    return replace(failover.begin(1, 0.0, serving), open=is_open)


def table(each: Service, choice: Choice, health: dict[Target, Health]) -> dict[Target, int | None]:
    own = dict(Weighing(each, health, 0.0).weights)
    for pool in each.pools():
        own |= Weighing(pool, health, 0.0).weights
    return weighed(each, choice, own, health)


def test_a_backup_waits_in_the_table_with_weight_0() -> None:
    health = {target(1): UP, target(2): DOWN, far(1): UP}
    assert table(web(2, 3), chosen(0), health) == {target(1): 2, target(2): None, far(1): 0}


def test_while_a_backup_serves_local_servers_end_what_they_have_and_dead_ones_go() -> None:
    """Whatever on_failure says: nobody hangs on a dead server."""
    health = {target(1): UP, target(2): DOWN, far(1): UP}
    each = replace(web(2, 3), on_failure=OnFailure.QUIESCE)
    assert table(each, chosen(0), health) == {target(1): 2, target(2): 0, far(1): 0}
    assert table(each, chosen(1), health) == {target(1): 0, target(2): None, far(1): 1}


@pytest.mark.parametrize(
    "changes", [{"protocol": Protocol.UDP}, {"scheduler": "dh"}, {"scheduler": "sh"}, {"flags": frozenset()}]
)
def test_where_weight_0_would_hold_or_refuse_clients_the_other_site_leaves(changes: dict[str, object]) -> None:
    health = {target(1): UP, far(1): UP}
    each = replace(web(2), **changes)  # type: ignore[arg-type]
    assert table(each, chosen(0), health) == {target(1): 2, far(1): None}
    assert table(each, chosen(1), health) == {target(1): None, far(1): 1}


def test_a_backup_nobody_has_checked_is_not_there() -> None:
    health = {target(1): DOWN, far(1): UNKNOWN}
    assert table(web(2), chosen(1), health) == {target(1): None, far(1): None}


def test_with_all_down_an_open_site_has_those_that_ever_were_up() -> None:
    health = {target(1): DOWN, target(2): replace(DOWN, proven=False), far(1): DOWN}
    assert table(web(2, 3), chosen(0, is_open=True), health) == {target(1): 2, target(2): None, far(1): None}
    assert table(web(2, 3), chosen(1, is_open=True), health) == {target(1): None, target(2): None, far(1): 1}


def test_spill_over_gives_the_backup_the_share_that_is_missing() -> None:
    """Six of ten are up: of ten connections four go to the backup, three to one of its servers and one to the other."""
    each = web(6, 4, rules=Failover(spill_over=True), backups=(backup("east", 3, 1),))
    health = {target(1): UP, target(2): DOWN, far(1): UP, far(2): UP}
    assert table(each, chosen(1), health) == {target(1): 24, target(2): None, far(1): 12, far(2): 4}
    nothing_up = {**health, target(1): DOWN}
    assert table(each, chosen(1), nothing_up) == {target(1): None, target(2): None, far(1): 30, far(2): 10}


def test_spill_over_stays_within_what_the_kernel_takes() -> None:
    each = web(60000, 60000, rules=Failover(spill_over=True), backups=(backup("east", 30000, 30000),))
    health = {target(1): UP, target(2): DOWN, far(1): UP, far(2): UP}
    assert table(each, chosen(1), health) == {target(1): 65535, target(2): None, far(1): 32767, far(2): 32767}


def test_the_level_is_that_of_the_poorest_port() -> None:
    each = replace(service(1, 3, ports=(80, 443)), backups=(backup("east", 1),))
    health = {target(1): UP, target(2): UP, target(1, 443): UP, target(2, 443): DOWN, far(1): UP, far(1, 443): DOWN}
    own = Weighing(each, health, 0.0).weights
    assert level(each, own, health) == Level(share=0.25, known=True, up=(False,))


def test_what_was_not_checked_is_not_known() -> None:
    each = web(1, 1)
    health = {target(1): UNKNOWN, target(2): DOWN, far(1): UNKNOWN}
    assert level(each, Weighing(each, health, 0.0).weights, health) == Level(share=0.0, known=False, up=(None,))
