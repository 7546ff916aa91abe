from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

from haman.director.slice import slice_for
from haman.model.cluster import (
    Announce,
    ChecksumForm,
    LogFormat,
    Member,
    Preempt,
    StandbyAddress,
    TrackedInterface,
    Transport,
    VirtualAddress,
)
from haman.model.elector import Configure, ElectorConfig, RouterConfig
from haman.wire import link
from tests.director.support import cluster


def test_every_field_of_a_router_reaches_the_elector() -> None:
    plain = cluster().routers["public"]
    router = replace(
        plain,
        transport=Transport.UNICAST,
        minimum_ttl=254,
        checksum=ChecksumForm.PSEUDO_HEADER,
        preempt=Preempt(allowed=True, after=30.0),
        track=(TrackedInterface(interface="eth1", penalty=60),),
        announce=Announce(count=3, spacing=0.005, repeat=(1.0,)),
        standby_address=StandbyAddress.NOWHERE,
        linger=0.2,
        members={
            **plain.members,
            "lb2": replace(plain.members["lb2"], interface="ens3"),
            "lb3": Member(director="lb3", priority=50, interface="eth0", address=IPv4Address("10.0.0.3")),
        },
    )
    everything = cluster(routers={"public": router}, log_format=LogFormat.JSON, log_level="debug")
    assert slice_for(everything, "lb2", 7) == ElectorConfig(
        generation=7,
        node="lb2",
        routers=(
            RouterConfig(
                name="public",
                vrid=51,
                priority=100,
                interface="ens3",
                source=IPv4Address("10.0.0.2"),
                advert_interval=0.1,
                addresses=(
                    VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="ens3"),
                    VirtualAddress(interface=IPv4Interface("10.0.1.100/24"), device="eth1", pinned=True),
                ),
                peers=(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.3")),
                minimum_ttl=254,
                checksum=ChecksumForm.PSEUDO_HEADER,
                preempt=Preempt(allowed=True, after=30.0),
                track=(TrackedInterface(interface="eth1", penalty=60),),
                announce=Announce(count=3, spacing=0.005, repeat=(1.0,)),
                standby_address=StandbyAddress.NOWHERE,
                linger=0.2,
            ),
        ),
        log_format=LogFormat.JSON,
        log_level="debug",
    )


def test_multicast_has_no_peers() -> None:
    assert slice_for(cluster(), "lb1", 1).routers[0].peers == ()


def test_routers_of_other_directors_are_left_out() -> None:
    router = cluster().routers["public"]
    only_lb1 = replace(router, name="inner", members={"lb1": router.members["lb1"]})
    both = cluster(routers={"public": router, "inner": only_lb1})
    assert [each.name for each in slice_for(both, "lb1", 1).routers] == ["public", "inner"]
    assert [each.name for each in slice_for(both, "lb2", 1).routers] == ["public"]


def test_it_fits_into_a_frame() -> None:
    message = Configure(config=slice_for(cluster(), "lb1", 1))
    assert list(link.Decoder().feed(link.encode(message))) == [message]
