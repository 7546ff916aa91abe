"""What the kernel must hold, as a function of the configuration, the roles and the servers' weights.

State follows from level: nothing here knows what happened before, so a lost event cannot leave a lost address.
Every setting asked of the kernel has its reason beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.cluster import Forward, OnFailure, Protocol, Service, StandbyAddress, Tunnel
from haman.model.kernel import (
    SENTINEL_FWMARK,
    AddressConfig,
    AddressKey,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    ServiceConfig,
    ServiceKey,
    SysctlConfig,
    SysctlKey,
    TimeoutsConfig,
    TimeoutsKey,
    flag_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from haman.model.cluster import Cluster, Server, Sync, Target, Timeouts, VirtualAddress
    from haman.model.elector import ElectorConfig, RouterConfig

SYNC_REFRESH = 3
"""Seconds after which a connection that still carries packets is synchronised again. A director that comes back
knows the running connections after this time, so a short one is wanted; each refresh costs about 50 bytes."""


def addresses(config: ElectorConfig, holding: Mapping[str, bool]) -> Kernel:
    """Addresses and their sysctls for one node.

    holding: by router name, whether the VIPs are to be on the NIC now; a router that is not named does not hold.
    A LOOPBACK router's VIPs are on `lo` for ever, as host addresses.
    """
    wanted: dict[AddressKey, AddressConfig] = {}
    for router in config.routers:
        for vip in router.addresses:
            if router.standby_address is StandbyAddress.LOOPBACK:
                wanted[AddressKey("lo", vip.ip, vip.ip.max_prefixlen)] = AddressConfig()
            if holding.get(router.name, False):
                wanted[on_nic(router, vip)] = AddressConfig()
    return Kernel(addresses=wanted, sysctls=_settings(_address_settings(config)))


def on_nic(router: RouterConfig, vip: VirtualAddress) -> AddressKey:
    """A VIP as it lies on the NIC of the active director.

    With the configured prefix length, so that it brings its subnet, unless the device has an address of that subnet
    already: then as a host address. With the longer prefix the VIP could become the subnet's primary address, whenever
    the node's own address goes and comes back while the VIP is held, and the node would send with the VIP as source: to
    real servers that have it too, and answer nobody.
    """
    there = router.interface == vip.device and router.source in vip.interface.network
    return AddressKey(vip.device, vip.ip, vip.ip.max_prefixlen if there else vip.interface.network.prefixlen)


def _address_settings(config: ElectorConfig) -> Iterator[tuple[str, str]]:
    if any(router.standby_address is StandbyAddress.LOOPBACK for router in config.routers):
        # Answer ARP only on the device that has the address: a VIP on `lo` is silent. IPv6 needs no such word.
        yield "net/ipv4/conf/all/arp_ignore", "1"
        # Ask "who has" with an address of the sending device only: else a standby that asks for its gateway with the
        # VIP as sender puts its own MAC into the gateway's table.
        yield "net/ipv4/conf/all/arp_announce", "2"
    vips = [on_nic(router, vip) for router in config.routers for vip in router.addresses]
    if any(key.ip.version == 4 and key.prefix < 32 for key in vips):
        # An address that comes later than a VIP of the same subnet is the VIP's secondary, and without this word the
        # kernel deletes all secondaries together with their primary: releasing a VIP would take others' addresses.
        yield "net/ipv4/conf/all/promote_secondaries", "1"


def ipvs(cluster: Cluster, node: str, weights: Mapping[Target, int | None]) -> Kernel:
    """The IPVS table, its daemons and settings for one director.

    weights: what each target gets now. None, or not named: it is not in the table; 0: it keeps the connections
    it has and gets no new ones (quiesced).
    A service on the VIP of a router this node has no part in is left out; its packets never come here.
    """
    services: dict[ServiceKey, ServiceConfig] = {}
    destinations: dict[DestinationKey, DestinationConfig] = {}
    here = list(cluster.services_of(node))
    for service in here:
        config = _service(service)
        for front in service.fronts:
            key = service_key(service, front)
            services[key] = config
            for server in service.servers.values():
                target = service.target(server, front)
                weight = weights.get(target)
                if weight is not None:
                    destinations[DestinationKey(key, server.address, target.port)] = _destination(server, weight)
    return Kernel(
        sysctls=_settings(_ipvs_settings(cluster, node, here)),
        services=_sentinels(services) | services,
        destinations=destinations,
        daemons=_daemons(cluster.sync, node),
        timeouts=_timeouts(cluster.timeouts),
    )


def is_sentinel(key: ServiceKey) -> bool:
    """One of the empty services that keep the table from ever being empty."""
    return key.protocol is None and key.fwmark == SENTINEL_FWMARK


def _sentinels(services: Mapping[ServiceKey, ServiceConfig]) -> dict[ServiceKey, ServiceConfig]:
    """The kernel counts the services of IPv4 and IPv6 apart, so each family in use has its own. Scheduler `none` needs
    no module; nothing is ever scheduled there."""
    families = {False} | {key.ipv6 for key in services}
    return {
        ServiceKey.marked(SENTINEL_FWMARK, ipv6=ipv6): ServiceConfig("none", prefix=128 if ipv6 else 32)
        for ipv6 in sorted(families)
    }


def service_key(service: Service, front: int) -> ServiceKey:
    """The IPVS service that `service` becomes on one of its fronts."""
    if service.protocol is not None and service.address is not None:
        return ServiceKey.at(service.protocol, service.address, front)
    return ServiceKey.marked(service.fwmark or 0, ipv6=service.fwmark_ipv6)


def _service(service: Service) -> ServiceConfig:
    ipv6 = service.fwmark_ipv6 if service.address is None else service.address.version == 6
    persistence = service.persistence
    generic, words = flag_words(""), flag_words(service.scheduler)
    return ServiceConfig(
        scheduler=service.scheduler,
        flags=frozenset(words[generic.index(flag)] if flag in generic else flag for flag in service.flags),
        persistence=persistence.timeout if persistence else 0,
        prefix=persistence.prefix if persistence else (128 if ipv6 else 32),
        engine=(persistence.engine or "") if persistence else "",
        one_packet=service.one_packet,
    )


def _destination(server: Server, weight: int) -> DestinationConfig:
    tunnel = (server.tunnel or Tunnel()) if server.forward is Forward.TUN else None
    return DestinationConfig(server.forward, weight, server.upper_threshold, server.lower_threshold, tunnel)


def _daemons(sync: Sync | None, node: str) -> dict[DaemonKey, DaemonConfig]:
    if sync is None or node not in sync.interfaces:
        return {}
    config = DaemonConfig(sync.interfaces[node], sync.sync_id, sync.group, sync.port, sync.ttl, sync.max_length)
    return {DaemonKey(role): config for role in DaemonRole}


def _timeouts(timeouts: Timeouts) -> dict[TimeoutsKey, TimeoutsConfig]:
    config = TimeoutsConfig(timeouts.tcp, timeouts.tcp_fin, timeouts.udp)
    return {TimeoutsKey(): config} if any((config.tcp, config.tcp_fin, config.udp)) else {}


def _ipvs_settings(cluster: Cluster, node: str, here: list[Service]) -> Iterator[tuple[str, str]]:
    # A connection whose server was removed ends at its next packet and the client is told or scheduled anew; with 0
    # its packets are dropped in silence until it times out.
    yield "net/ipv4/vs/expire_nodest_conn", "1"
    hashed = {service.protocol for service in here if service.scheduler == "mh"}
    if hashed & {Protocol.TCP, None}:
        # Maglev hashing gives the same server on every director, so one that has never seen a connection may take it up
        # in the middle; with 0 it accepts a connection only from its first packet on.
        yield "net/ipv4/vs/sloppy_tcp", "1"
    if hashed & {Protocol.SCTP, None}:
        yield "net/ipv4/vs/sloppy_sctp", "1"  # the same for SCTP
    if any(service.persistence and service.on_failure is OnFailure.QUIESCE for service in here):
        # A client that is bound to a server leaves it when its weight falls to 0; else new connections of that
        # client go on to the dead server until the binding times out.
        yield "net/ipv4/vs/expire_quiescent_template", "1"
    if _daemons(cluster.sync, node):
        yield from _sync_settings(cluster.timeouts)


def _sync_settings(timeouts: Timeouts) -> Iterator[tuple[str, str]]:
    # A running backup daemon together with backup_only=1 switches IPVS off; both daemons run here for ever.
    yield "net/ipv4/vs/backup_only", "0"
    # "threshold period": period 0 leaves it to time, not to packet counts, when a connection is synchronised again,
    # so a slow one is not forgotten by the others.
    yield "net/ipv4/vs/sync_threshold", "3 0"
    # Well under the shortest timeout that a live connection has, or the others forget it between two refreshes.
    shortest = min((seconds for seconds in (timeouts.tcp, timeouts.udp) if seconds), default=SYNC_REFRESH * 3)
    yield "net/ipv4/vs/sync_refresh_period", str(max(1, min(SYNC_REFRESH, shortest // 3)))


def _settings(pairs: Iterator[tuple[str, str]]) -> dict[SysctlKey, SysctlConfig]:
    return {SysctlKey(path): SysctlConfig(value) for path, value in pairs}
