"""A real server's side: does it take what the directors send it, and answer nobody else for the VIP?

Each service's method asks for something else; what haman realserver would make may as well have been made by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.doctor.finding import Finding
from haman.model.kernel import DeviceConfig, DeviceKey, Unwrapper
from haman.model.services import Forward
from haman.plan import realserver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene
    from haman.plan.realserver import Part

HAMAN = "haman realserver"
WORDS = {
    Unwrapper.IPIP: "IP in IP",
    Unwrapper.GRE: "GRE",
    Unwrapper.SIT: "IPv6 in IPv4",
    Unwrapper.IP6TNL: "packets in IPv6",
    Unwrapper.IP6GRE: "GRE in IPv6",
}


def examine(scene: Scene) -> Iterator[Finding]:
    if not scene.parts:
        return
    yield from _vips(scene)
    yield from _silence(scene)
    yield from _tunnels(scene)
    for part in scene.parts:
        if part.server.forward is Forward.NAT and part.server.director is None:
            yield from _way_back(scene, part)


def _vips(scene: Scene) -> Iterator[Finding]:
    """The VIP must be here for every method that leaves packets as they are; on a NIC it is the director's."""
    served = {
        vip: part for part in scene.parts if part.server.forward in (Forward.DR, Forward.TUN) for vip in part.vips
    }
    tunnels = {key.name for key in scene.unwrapping.devices}
    for vip, part in served.items():
        where = sorted({key.device for key in scene.addresses if key.ip == vip})
        redirected = _redirected(scene, str(vip))
        if not where and not redirected:
            yield Finding(
                what=f"the VIP {vip} is not here, and packets for it come by {part.server.forward.value}",
                evidence=f"no device has it (ip address show to {vip})",
                consequence=f"this machine drops the packets of service {part.service.name}, and no log says so",
                fix=f"{HAMAN} {scene.file}",
            )
        for device in where:
            if device != "lo" and device not in tunnels and scene.node is None:
                yield Finding(
                    what=f"the VIP {vip} is on {device} of a real server",
                    evidence=f"ip address show dev {device}",
                    consequence="this machine answers for it beside the active director, and takes its clients",
                    fix=f"ip address del {vip}/{vip.max_prefixlen} dev {device}; then {HAMAN} {scene.file}",
                )


def _redirected(scene: Scene, vip: str) -> bool:
    """A packet filter that hands the VIP's packets to this machine does for an address."""
    text = str(scene.rules)
    return f"'{vip}'" in text and "'redirect'" in text


def _silence(scene: Scene) -> Iterator[Finding]:
    """arp_ignore counts on the receiving device, arp_announce on the sending one, `all` on each; the larger holds. On
    `lo`, where the address is, it does nothing."""
    here = {key.ip for key in scene.addresses}
    vips = {vip for part in scene.parts for vip in part.vips if vip.version == 4 and vip in here}
    if not vips:
        return
    for name, least, what, consequence in (
        (
            "arp_ignore",
            1,
            "answers ARP for",
            "clients and routers of that segment come here, past the director",
        ),
        ("arp_announce", 2, "asks for its neighbours in the name of", "they believe that this machine has the VIP"),
    ):
        for device in sorted(scene.links):
            tunnel = any(key.name == device for key in scene.unwrapping.devices)
            if device == "lo" or tunnel or not scene.links[device]:
                continue
            values = [scene.read(f"sys/net/ipv4/conf/{each}/{name}") for each in ("all", device)]
            if any(value is None for value in values) or max(int(value or 0) for value in values) >= least:
                continue
            yield Finding(
                what=f"this real server {what} the VIP {min(vips)} on {device}",
                evidence=f"net.ipv4.conf.{{all,{device}}}.{name} = {' / '.join(str(value) for value in values)}",
                consequence=consequence,
                fix=f"sysctl -w net.ipv4.conf.all.{name}={least}, and in /etc/sysctl.d/; or {HAMAN} {scene.file}",
                settings=((f"net/ipv4/conf/all/{name}", str(least)),),
            )
            break


def _tunnels(scene: Scene) -> Iterator[Finding]:
    wanted = realserver.wanted(scene.parts)
    for port in wanted.gue_ports:
        if port not in scene.unwrapping.gue_ports:
            yield Finding(
                what=f"nobody unwraps {port}",
                evidence="ip fou show" if port.version == 4 else "ip -6 fou show",
                consequence="the director gets `port unreachable` for every packet, and clients get nothing",
                fix=f"{HAMAN} {scene.file}",
            )
    for made, device in wanted.devices.items():
        takers = _takers(scene, device)
        if not takers:
            yield Finding(
                what=f"nothing unwraps {WORDS[device.kind]} that is sent to {device.local}",
                evidence=f"ip -d link show type {device.kind.value}: no device that is up and takes it",
                consequence="every tunnelled packet is refused or dropped here",
                fix=f"{HAMAN} {scene.file}",
            )
            continue
        key, found = takers[0]
        if found.checksum != device.checksum:
            yield Finding(
                what=f"{key.name} takes GRE packets {'with' if found.checksum else 'without'} checksum only",
                evidence=f"ip -d link show {key.name}",
                consequence="the directors' packets are the other way: each is dropped and counted as an error",
                fix=f"ip link set {key.name} type {device.kind.value} {'' if device.checksum else 'no'}icsum,"
                " or the same `checksum` in the file",
            )
        # Only where IPv4 comes out of it: IPv6 has no such filter.
        if any(each.ip.version == 4 for each in wanted.addresses if each.device == made.name):
            yield from _filter(scene, key.name)


def _takers(scene: Scene, wanted: DeviceConfig) -> list[tuple[DeviceKey, DeviceConfig]]:
    """Who gets these packets: a device for this address before one for any (ip_tunnel_lookup)."""
    found = [
        (key, config)
        for key, config in scene.unwrapping.devices.items()
        if config.kind is wanted.kind and config.up and (config.local == wanted.local or not int(config.local))
    ]
    return sorted(found, key=lambda each: each[1].local != wanted.local)


def _filter(scene: Scene, device: str) -> Iterator[Finding]:
    values = [scene.read(f"sys/net/ipv4/conf/{each}/rp_filter") for each in ("all", device)]
    strict = max((int(value) for value in values if value is not None), default=0)
    addressed = any(key.device == device and key.ip.version == 4 for key in scene.addresses)
    if strict == 1 or (strict == 2 and not addressed):
        why = "strict" if strict == 1 else f"loose, and {device} has no address of its own"
        yield Finding(
            what=f"{device} drops what it unwraps: its reverse path filter is {why}",
            evidence=f"net.ipv4.conf.{{all,{device}}}.rp_filter = {' / '.join(value or '?' for value in values)}",
            consequence="exactly this server's share of the service is lost, and no log says so",
            fix=f"sysctl -w net.ipv4.conf.{device}.rp_filter=2, with the VIP on {device}; or {HAMAN} {scene.file}",
            settings=((f"net/ipv4/conf/{device}/rp_filter", "2"),) if strict == 1 else (),
        )


def _way_back(scene: Scene, part: Part) -> Iterator[Finding]:
    """With NAT the answer must pass the active director, which follows the VIP and not one machine."""
    version = part.server.address.version
    if version not in scene.gateways or scene.cluster is None:
        return
    gateway = scene.gateways[version]
    vips = {vip for router in scene.cluster.routers.values() for vip in router.vips}
    own = {address for director in scene.cluster.directors.values() for address in director.addresses}
    six = " -6" if version == 6 else ""
    if gateway in vips:
        yield from _deaf(scene, version)
        return
    inner = sorted(str(vip) for vip in vips if vip.version == version and vip != part.service.address)
    yield Finding(
        what=f"service {part.service.name} comes by NAT, and answers do not leave by way of the active director",
        evidence=f"ip{six} route show default: {f'via {gateway}' if gateway else 'there is none'}",
        consequence="after a takeover answers go to a director that does not know the connection"
        if gateway in own
        else "clients get answers from an address they have not called, and refuse them",
        fix=f"ip{six} route replace default via {inner[0]}"
        if inner
        else "give the router a VIP on the servers' network, and make it their default gateway",
        problem=gateway is None or gateway in own,
    )


def _deaf(scene: Scene, version: int) -> Iterator[Finding]:
    family, name = ("ipv4", "drop_gratuitous_arp") if version == 4 else ("ipv6", "drop_unsolicited_na")
    for device in ("all", *sorted(scene.links)):
        path = f"sys/net/{family}/conf/{device}/{name}"
        if device != "lo" and scene.read(path) == "1":
            yield Finding(
                what="this machine does not hear when its gateway, a VIP, moves to another director",
                evidence=f"net.{family}.conf.{device}.{name} = 1",
                consequence="after a takeover its answers go to the old one for half a minute (31 s were measured)",
                fix=f"sysctl -w net.{family}.conf.{device}.{name}=0, and in /etc/sysctl.d/",
                settings=((path.removeprefix("sys/"), "0"),),
            )
            return
