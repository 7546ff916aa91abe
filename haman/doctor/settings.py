"""Kernel settings: those that haman keeps itself, and those that are the operator's to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director.foresee import second_chances
from haman.doctor.finding import Finding
from haman.model.routers import StandbyAddress
from haman.model.services import Forward
from haman.plan import desired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

STRICT = "1"

TRANSLATED = {Forward.NAT, Forward.FULLNAT}


def examine(scene: Scene) -> Iterator[Finding]:
    part = scene.slice
    if part is None or scene.cluster is None or scene.node is None:
        return
    yield from _kept(scene)
    devices = sorted(
        {router.interface for router in part.routers} | {vip.device for r in part.routers for vip in r.addresses}
    )
    services = list(scene.cluster.services_of(scene.node))
    servers = [each for service in services for part in service.everywhere() for each in part.servers.values()]
    forwards = {server.forward for server in servers}
    gateways = any(service.masquerade for service in services)
    if gateways:  # answers come in by any way that leads outside
        devices = sorted(scene.links.keys() - {"lo"})
    if (TRANSLATED & forwards or gateways) and scene.read("sys/net/ipv4/ip_forward") == "0":
        yield Finding(
            what="this machine does not forward, and servers are reached by NAT"
            if TRANSLATED & forwards
            else "this machine does not forward, and is a gateway for others",
            evidence="net.ipv4.ip_forward = 0",
            consequence="the servers' answers end here: no client gets one",
            fix="sysctl -w net.ipv4.ip_forward=1, and write it to /etc/sysctl.d/",
            settings=(("net/ipv4/ip_forward", "1"),),
        )
    six = any(server.forward in TRANSLATED and server.address.version == 6 for server in servers)
    if six and scene.read("sys/net/ipv6/conf/all/forwarding") == "0":
        yield Finding(
            what="this machine does not forward IPv6, and servers are reached by NAT",
            evidence="net.ipv6.conf.all.forwarding = 0",
            consequence="the servers' answers end here: no client gets one",
            fix="sysctl -w net.ipv6.conf.all.forwarding=1, and write it to /etc/sysctl.d/; routes learnt by router"
            " advertisements go with it unless accept_ra is 2",
        )
    for device in devices if {*TRANSLATED, Forward.TUN} & forwards or gateways else ():
        values = [scene.read(f"sys/net/ipv4/conf/{name}/rp_filter") for name in ("all", device)]
        if max((value for value in values if value is not None), default="0") == STRICT:
            yield Finding(
                what=f"{device} drops packets whose answer would leave by another interface",
                evidence=f"net.ipv4.conf.{{all,{device}}}.rp_filter = {' / '.join(value or '?' for value in values)}",
                consequence="where requests and answers take different ways, clients get no answer, and no log says so",
                fix=f"sysctl -w net.ipv4.conf.{device}.rp_filter=2 (loose), unless all ways are symmetric",
                problem=False,
                settings=((f"net/ipv4/conf/{device}/rp_filter", "2"),),
            )
    nowhere = [router.name for router in part.routers if router.standby_address is StandbyAddress.NOWHERE]
    if nowhere and scene.read("sys/net/ipv4/ip_nonlocal_bind") == "0":
        yield Finding(
            what="programs cannot listen on a VIP that is not here",
            evidence=f"net.ipv4.ip_nonlocal_bind = 0, and standbys of router {nowhere[0]} do not have its VIPs",
            consequence="a proxy that binds to the VIP does not start on a standby, and is missing after a takeover",
            fix="sysctl -w net.ipv4.ip_nonlocal_bind=1, and in /etc/sysctl.d/; or have the proxy listen on 0.0.0.0",
            problem=False,
            settings=(("net/ipv4/ip_nonlocal_bind", "1"),),
        )
    yield from _deaf(scene, devices, bool(nowhere))
    for router in part.routers:
        for vip in router.addresses:
            if vip.ip.version == 6 and scene.read(f"sys/net/ipv6/conf/{vip.device}/disable_ipv6") == "1":
                yield Finding(
                    what=f"IPv6 is switched off on {vip.device}, where router {router.name} has {vip.ip}",
                    evidence=f"net.ipv6.conf.{vip.device}.disable_ipv6 = 1",
                    consequence="the kernel refuses the address, and the router goes into fault",
                    fix=f"sysctl -w net.ipv6.conf.{vip.device}.disable_ipv6=0",
                    settings=((f"net/ipv6/conf/{vip.device}/disable_ipv6", "0"),),
                )
                break


def _deaf(scene: Scene, devices: list[str], clients: bool) -> Iterator[Finding]:
    """A director that does not hear announcements matters only where its own programs call the VIP on another one."""
    for device in ("all", *devices) if clients else ():
        if scene.read(f"sys/net/ipv4/conf/{device}/drop_gratuitous_arp") == "1":
            yield Finding(
                what="this machine does not hear when a VIP moves to another director",
                evidence=f"net.ipv4.conf.{device}.drop_gratuitous_arp = 1",
                consequence="its own programs call the old director for half a minute after a takeover",
                fix=f"sysctl -w net.ipv4.conf.{device}.drop_gratuitous_arp=0, and in /etc/sysctl.d/",
                settings=((f"net/ipv4/conf/{device}/drop_gratuitous_arp", "0"),),
            )
            return


def _kept(scene: Scene) -> Iterator[Finding]:
    """What haman sets by itself: wrong only while it runs, or where it may not be set at all."""
    part = scene.slice
    assert part is not None
    assert scene.cluster is not None
    assert scene.node is not None
    routers = (scene.status or {"routers": ()})["routers"]
    holding = {router["name"]: bool(router.get("holds")) for router in routers}
    wanted = dict(desired.addresses(part, holding).sysctls)
    if any(True for _ in scene.cluster.services_of(scene.node)):
        known = dict.fromkeys(scene.cluster.directors, ("told",))  # whether they are is another question
        wanted |= desired.ipvs(scene.cluster, scene.node, {}, macs=known, taken=second_chances(scene.status)).sysctls
    for key, config in wanted.items():
        now = scene.read(f"sys/{key.path}")
        if now is None or " ".join(now.split()) == config.value or scene.status is None:
            continue
        yield Finding(
            what=f"{key.path.replace('/', '.')} is not as haman needs it, although haman runs",
            evidence=f"it is {now}, haman sets {config.value}",
            consequence="another program sets it back, or haman may not: standbys answer ARP, or connections are cut",
            fix="look for it in /etc/sysctl.d, and in the log for a refusal; a container needs /proc/sys/net writable",
            settings=((key.path, config.value),),
        )
