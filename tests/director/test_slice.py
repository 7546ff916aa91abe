from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from haman.director.slice import slice_for
from haman.model.cluster import LogFormat, Sync
from haman.model.confirmation import Confirm
from haman.model.elector import Configure, ElectorConfig, GroupConfig, Kin, RouterConfig
from haman.model.routers import Announce, ChecksumForm, Member, Preempt, StandbyAddress, Transport, VirtualAddress
from haman.model.routing import VirtualRoute, VirtualRule
from haman.model.trackers import Group, Track, TrackedInterface
from haman.wire import link
from tests.director.support import cluster

KIN = ("10.0.0.1", "10.0.0.100", "10.0.1.100", "10.0.0.3", "127.0.0.1", "127.0.0.2")
"""The other directors, the VIPs, and the servers of direct routing (which are the directors in this cluster)."""


def test_every_field_of_a_router_reaches_the_elector() -> None:
    plain = cluster().routers["public"]
    router = replace(
        plain,
        transport=Transport.UNICAST,
        minimum_ttl=254,
        checksum=ChecksumForm.PSEUDO_HEADER,
        preempt=Preempt(allowed=True, after=30.0),
        track=(TrackedInterface(interface="eth1", penalty=60),),
        watch=(Track(tracker="gateway"),),
        routes=(
            VirtualRoute(destination=IPv4Network("10.9.0.0/16")),
            VirtualRoute(destination=IPv4Network("0.0.0.0/0"), via=IPv4Address("10.0.0.254")),
        ),
        rules=(VirtualRule(priority=9, table=100, version=4, fwmark=7),),
        announce=Announce(count=3, spacing=0.005, repeat=(1.0,)),
        confirm=Confirm(attempts=4, neighbours=2),
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
                watch=(Track(tracker="gateway"),),
                routes=(
                    VirtualRoute(destination=IPv4Network("10.9.0.0/16"), device="ens3"),
                    VirtualRoute(destination=IPv4Network("0.0.0.0/0"), via=IPv4Address("10.0.0.254")),
                ),
                rules=(VirtualRule(priority=9, table=100, version=4, fwmark=7),),
                announce=Announce(count=3, spacing=0.005, repeat=(1.0,)),
                confirm=Confirm(attempts=4, neighbours=2),
                standby_address=StandbyAddress.NOWHERE,
                linger=0.2,
            ),
        ),
        kin=tuple(Kin(address=IPv4Address(each)) for each in KIN),
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


def test_a_group_knows_every_director_by_its_address_in_the_first_router() -> None:
    first = cluster().routers["public"]
    members = {
        name: replace(member, interface="eth1", address=IPv4Address(f"10.1.0.{name[-1]}"))
        for name, member in first.members.items()
    }
    inner = replace(first, name="inner", vrid=52, addresses=(), members=members)
    group = Group(name="both", routers=("public", "inner"), watch=(Track(tracker="gateway", penalty=60),))
    sliced = slice_for(cluster(routers={"public": first, "inner": inner}, groups={"both": group}), "lb1", 1)
    one, two = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
    assert sliced.groups == (
        GroupConfig(
            name="both",
            routers=("public", "inner"),
            aliases={"10.0.0.1": one, "10.0.0.2": two, "10.1.0.1": one, "10.1.0.2": two},
            watch=(Track(tracker="gateway", penalty=60),),
        ),
    )


def test_it_fits_into_a_frame() -> None:
    message = Configure(config=slice_for(cluster(), "lb1", 1))
    assert list(link.Decoder().feed(link.encode(message))) == [message]


def test_ipvs_follows_the_routers_only_where_standbys_are_closed() -> None:
    one = cluster()
    assert one.services
    sync = Sync(interfaces=dict.fromkeys(one.directors, "eth0"), sync_id=1, group=IPv4Address("224.0.0.81"))
    closing = replace(sync, backup_only=True)
    assert slice_for(replace(one, sync=sync), "lb1", 1).opens == ()
    assert slice_for(replace(one, sync=closing), "lb1", 1).opens == ("public",)
    assert slice_for(replace(one, sync=closing, services={}), "lb1", 1).opens == ()
