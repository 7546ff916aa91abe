"""Which routers are about to be preempted, as far as there is anything to prepare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haman.director.company import Own
from haman.director.peers import Peers
from haman.director.preemption import Preemption, preemptions
from haman.model.routers import Preempt, StandbyAddress
from haman.model.services import Protocol
from haman.model.standing import Standing
from haman.model.transition import Role
from tests.director.support import cluster, report, service

if TYPE_CHECKING:
    from haman.model.cluster import Cluster

PLAIN = cluster(services={"web": service(port=80)})


def of(preempt: Preempt, plain: Cluster = PLAIN, **router: Any) -> Cluster:
    return replace(plain, routers={"public": replace(plain.routers["public"], preempt=preempt, **router)})


def found(of: Cluster, *unready: str, lb2: str = "active", **said: Any) -> dict[str, Preemption]:
    """lb1 is standby of priority 150, and lb2 of priority 100 says what it is."""
    peers = Peers(of.name, ["lb2"], "same")
    standing = Standing(cluster=of.name, node="lb2", life=1, number=1, config="same", roles={"public": lb2})
    peers.take("lb2", standing, 0.0, 0.0)
    roles = (report(**{"role": Role.STANDBY, "priority": 150, "peer_priority": 100, **said}),)
    return preemptions(Own(cluster=of, node="lb1", digest="same", roles=roles, waiting={}), peers, unready)


NOW = Preempt(allowed=True)


def test_from_a_worse_one_that_serves() -> None:
    assert found(of(NOW)) == {"public": Preemption("lb2", begins=0.0, takes=0.4, held=True)}


def test_a_delay_is_waited_for_by_the_election() -> None:
    assert found(of(Preempt(allowed=True, after=30.0))) == {
        "public": Preemption("lb2", begins=25.0, takes=30.4, held=False)
    }


def test_nothing_without_a_preemption() -> None:
    assert found(of(Preempt(allowed=False))) == {}
    assert found(of(NOW), "public") == {}, "something is lacking"
    assert found(of(NOW), peer_priority=200) == {}
    assert found(of(NOW), peer_priority=0) == {}, "it leaves"
    assert found(of(NOW), role=Role.ACTIVE) == {}
    assert found(of(NOW), lb2="standby") == {}, "it does not serve"


def test_nothing_where_nothing_could_be_sent_on() -> None:
    udp = replace(service(port=80), protocol=Protocol.UDP)
    assert found(of(NOW, cluster(services={"web": udp}))) == {}
    assert found(of(NOW, standby_address=StandbyAddress.NOWHERE)) == {}
