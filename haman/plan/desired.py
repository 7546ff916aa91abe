"""What the kernel must hold, as a function of the configuration, the roles and the servers' weights.

State follows from level: nothing here knows what happened before, so a lost event cannot leave a lost address.
Every setting asked of the kernel has its reason beside it.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from haman.model.kernel import (
    BACKUP_ONLY,
    SENTINEL_FWMARK,
    AddressConfig,
    AddressKey,
    DaemonConfig,
    DaemonKey,
    DaemonRole,
    DestinationConfig,
    DestinationKey,
    Kernel,
    RouteConfig,
    RouteKey,
    RuleConfig,
    RuleKey,
    ServiceConfig,
    ServiceKey,
    SysctlConfig,
    SysctlKey,
    TableConfig,
    TableKey,
    TimeoutsConfig,
    TimeoutsKey,
    flag_words,
)
from haman.model.routers import StandbyAddress
from haman.model.routing import DIVERSION, IPV6_METRIC
from haman.model.services import Forward, OnFailure, Protocol, Service, Tunnel
from haman.plan import filter
from haman.plan.identity import place, service_key
from haman.wire import nftables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from haman.model.cluster import Cluster, Sync, Timeouts
    from haman.model.elector import ElectorConfig, RouterConfig
    from haman.model.filter import Ruleset
    from haman.model.routers import VirtualAddress
    from haman.model.routing import VirtualRule
    from haman.model.services import Server, Target

    Order = Mapping[int, Sequence[str]]
    """By front port, the names of servers in the order they are to be added in."""

_METHOD = {Forward.FULLNAT: Forward.NAT, Forward.RELAY: Forward.DR}
"""What it is to IPVS. Of full NAT the packet filter does the other half, of a relay the process that listens here."""

HEAVIEST = 65535
"""As heavy as a configuration may say."""

SYNC_REFRESH = 3
"""Seconds after which a connection that still carries packets is synchronised again. A director that comes back
knows the running connections after this time, so a short one is wanted; each refresh costs about 50 bytes."""


def addresses(config: ElectorConfig, holding: Mapping[str, bool]) -> Kernel:
    """Addresses, routes and rules that follow the roles, and their sysctls, for one node; and whether IPVS schedules.

    holding: by router name, whether the VIPs are to be on the NIC now; a router that is not named does not hold.
    A LOOPBACK router's VIPs are on `lo` for ever, as host addresses.
    """
    wanted: dict[AddressKey, AddressConfig] = {}
    routes: dict[RouteKey, RouteConfig] = {}
    rules: dict[RuleKey, RuleConfig] = {}
    for router in config.routers:
        if holding.get(router.name, False):
            for route in router.routes:
                key = RouteKey(route.destination, route.table, route.metric)
                routes[key] = RouteConfig(route.via, route.device, route.source)
            rules |= dict.fromkeys((_rule(rule) for rule in router.rules), RuleConfig())
        for vip in router.addresses:
            if router.standby_address is StandbyAddress.LOOPBACK:
                wanted[AddressKey("lo", vip.ip, vip.ip.max_prefixlen)] = AddressConfig()
            if holding.get(router.name, False):
                label = f"{vip.device}:{vip.label}" if vip.label else ""
                wanted[on_nic(router, vip)] = AddressConfig(label=label)
    for each in config.diversions:
        metric = 0 if each.version == 4 else IPV6_METRIC
        everything = ip_network("0.0.0.0/0" if each.version == 4 else "::/0")
        routes[RouteKey(everything, DIVERSION, metric)] = RouteConfig(device="lo", local=True)
        rules[RuleKey(each.version, DIVERSION, DIVERSION, fwmark=each.mark)] = RuleConfig()
    sysctls = _settings(_address_settings(config)) | _settings(_gate(config, holding))
    return Kernel(addresses=wanted, routes=routes, rules=rules, sysctls=sysctls)


def _rule(rule: VirtualRule) -> RuleKey:
    return RuleKey(rule.version, rule.priority, rule.table, rule.source, rule.destination, rule.fwmark, rule.incoming)


def on_nic(router: RouterConfig, vip: VirtualAddress) -> AddressKey:
    """A VIP as it lies on the NIC of the active director.

    With the configured prefix length, so that it brings its subnet, unless the device has an address of that subnet
    already: then as a host address. With the longer prefix the VIP could become the subnet's primary address, whenever
    the node's own address goes and comes back while the VIP is held, and the node would send with the VIP as source: to
    real servers that have it too, and answer nobody.
    """
    own = [source for source in (router.source, router.source6) if source is not None]
    there = router.interface == vip.device and any(source in vip.interface.network for source in own)
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


def _gate(config: ElectorConfig, holding: Mapping[str, bool]) -> Iterator[tuple[str, str]]:
    """With the VIPs, not with the role: a director that has handed over still gets packets for as long as it lingers,
    and would answer them all itself, those of connections that another server has with a reset."""
    if config.opens:
        # Beside a running backup daemon, 1 makes IPVS leave every packet alone. So what the active director sends a
        # standby is the standby's, not scheduled once more.
        yield BACKUP_ONLY.path, "0" if any(holding.get(name, False) for name in config.opens) else "1"


def ipvs(
    cluster: Cluster,
    node: str,
    weights: Mapping[Target, int | None],
    order: Mapping[str, Order] | None = None,
    macs: Mapping[str, tuple[str, ...]] | None = None,
    taken: Mapping[str, str] | None = None,
) -> Kernel:
    """The IPVS table, its daemons and settings, and the rules of the packet filter that it needs, for one director.

    weights: what each target gets now. None, or not named: it is not in the table; 0: it keeps the connections
    it has and gets no new ones (quiesced). order: by service, where it matters in which its servers were added.
    A service on the VIP of a router this node has no part in is left out; its packets never come here. Which site
    serves is in the weights (failover.weights). macs, taken: as in filter.ruleset.
    """
    services: dict[ServiceKey, ServiceConfig] = {}
    destinations: dict[DestinationKey, DestinationConfig] = {}
    ordered: set[ServiceKey] = set()
    here = list(cluster.services_of(node))
    rules = filter.ruleset(cluster, node, macs or {}, taken)
    for service in here:
        config = _service(service)
        fronts = order.get(service.name, {}) if order else {}
        for front in service.fronts:
            key = service_key(service, front)
            services[key] = config
            servers: Iterable[Server] = service.servers.values()
            if front in fronts:
                ordered.add(key)
                servers = _in_order(servers, fronts[front])
            destinations.update(_destinations(service, key, front, servers, weights))
            for pool in service.pools():
                destinations.update(_destinations(pool, key, front, pool.servers.values(), weights))
        if (visiting := service.visiting()) is not None:
            for front in visiting.fronts:
                key = service_key(visiting, front)
                services[key] = config
                destinations.update(_destinations(visiting, key, front, visiting.servers.values(), weights))
    return Kernel(
        sysctls=_settings(_ipvs_settings(cluster, node, here, second_chance=bool(rules.chances))),
        services=_sentinels(services) | services,
        destinations=destinations,
        daemons=_daemons(cluster.sync, node),
        timeouts=_timeouts(cluster.timeouts),
        ordered=frozenset(ordered),
        tables=_tables(rules),
        first=frozenset({DaemonKey(DaemonRole.BACKUP)} if cluster.sync and cluster.sync.backup_only else ()),
    )


def _destinations(
    service: Service, key: ServiceKey, front: int, servers: Iterable[Server], weights: Mapping[Target, int | None]
) -> Iterator[tuple[DestinationKey, DestinationConfig]]:
    """Servers of one place have the sum of their weights."""
    found: dict[DestinationKey, DestinationConfig] = {}
    for server in servers:
        weight = weights.get(service.target(server, front))
        if weight is not None:
            there = place(service, key, front, server)
            before = found[there].weight if there in found else 0
            found[there] = _destination(server, min(weight + before, HEAVIEST))
    yield from found.items()


def _in_order(servers: Iterable[Server], names: Sequence[str]) -> list[Server]:
    """Those that are not named come last, in the order they have."""
    places = {name: place for place, name in enumerate(names)}
    return sorted(servers, key=lambda server: places.get(server.name, len(places)))


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
    method = _METHOD.get(server.forward, server.forward)
    return DestinationConfig(method, weight, server.upper_threshold, server.lower_threshold, tunnel)


def _tables(rules: Ruleset) -> dict[TableKey, TableConfig]:
    return {TableKey(): TableConfig(nftables.render(rules))} if rules else {}


def _daemons(sync: Sync | None, node: str) -> dict[DaemonKey, DaemonConfig]:
    if sync is None or node not in sync.interfaces:
        return {}
    config = DaemonConfig(sync.interfaces[node], sync.sync_id, sync.group, sync.port, sync.ttl, sync.max_length)
    return {DaemonKey(role): config for role in DaemonRole}


def _timeouts(timeouts: Timeouts) -> dict[TimeoutsKey, TimeoutsConfig]:
    config = TimeoutsConfig(timeouts.tcp, timeouts.tcp_fin, timeouts.udp)
    return {TimeoutsKey(): config} if any((config.tcp, config.tcp_fin, config.udp)) else {}


def _ipvs_settings(
    cluster: Cluster, node: str, here: list[Service], *, second_chance: bool
) -> Iterator[tuple[str, str]]:
    # A connection whose server was removed ends at its next packet and the client is told or scheduled anew; with 0
    # its packets are dropped in silence until it times out.
    yield "net/ipv4/vs/expire_nodest_conn", "1"
    if any(service.protocol is not Protocol.UDP for service in here):
        # A client that uses a port again for a new connection gets a new decision; with 0 it goes to the server it had
        # before, be that drained or not.
        yield "net/ipv4/vs/conn_reuse_mode", "1"
    hashed = {service.protocol for service in here if service.scheduler == "mh"}
    if hashed & {Protocol.TCP, None}:
        # Maglev hashing gives the same server on every director, so one that has never seen a connection may take it up
        # in the middle; with 0 it accepts a connection only from its first packet on. It holds for every service, and
        # one with another scheduler would choose anew; so not while the director that knows the connection is asked.
        yield "net/ipv4/vs/sloppy_tcp", "0" if second_chance else "1"
    if hashed & {Protocol.SCTP, None}:
        yield "net/ipv4/vs/sloppy_sctp", "1"  # the same for SCTP
    if any(each.persistence and (each.on_failure is OnFailure.QUIESCE or each.backups) for each in here):
        # A client that is bound to a server leaves it when its weight falls to 0; else new connections of that
        # client go on to the dead server, or to the site that serves no more, until the binding times out.
        yield "net/ipv4/vs/expire_quiescent_template", "1"
    servers = [server for service in here for part in service.everywhere() for server in part.servers.values()]
    full = any(server.forward is Forward.FULLNAT for server in servers)
    if full or any(service.masquerade for service in here):
        # What IPVS sends on stays in the kernel's connection tracking, which is what gives it another source; with 0
        # the packet-filter rule is passed over in silence and clients wait for ever.
        yield "net/ipv4/vs/conntrack", "1"
    if _daemons(cluster.sync, node):
        yield from _sync_settings(cluster.timeouts)
        if cluster.sync and not cluster.sync.backup_only:  # else it follows the role: see _gate
            # Together with the backup daemon, which runs here for ever, 1 would switch IPVS off.
            yield BACKUP_ONLY.path, "0"


def _sync_settings(timeouts: Timeouts) -> Iterator[tuple[str, str]]:
    # "threshold period": period 0 leaves it to time, not to packet counts, when a connection is synchronised again,
    # so a slow one is not forgotten by the others.
    yield "net/ipv4/vs/sync_threshold", "3 0"
    yield "net/ipv4/vs/sync_refresh_period", str(sync_refresh(timeouts))


def sync_refresh(timeouts: Timeouts) -> int:
    """Seconds after which a connection with packets is told again: well under the shortest timeout that a live one has,
    or the others forget it between two refreshes."""
    shortest = min((seconds for seconds in (timeouts.tcp, timeouts.udp) if seconds), default=SYNC_REFRESH * 3)
    return max(1, min(SYNC_REFRESH, shortest // 3))


def _settings(pairs: Iterator[tuple[str, str]]) -> dict[SysctlKey, SysctlConfig]:
    return {SysctlKey(path): SysctlConfig(value) for path, value in pairs}
