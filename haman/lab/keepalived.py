"""keepalived on the directors, configured from the same file: the peer that haman is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.checks import DnsProbe, HttpProbe
from haman.model.routers import Transport
from haman.wire import dns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.software import Node, Site
    from haman.model.checks import Check, Probe
    from haman.model.cluster import Cluster as Model
    from haman.model.routers import Router
    from haman.model.services import Server, Service


class Keepalived:
    """Debian's keepalived, set up as its own documentation advises: VRRPv3, both sync daemons for ever."""

    name = "keepalived"

    def __init__(self, priority: int | None = None) -> None:
        """priority: of every router, in place of the file's."""
        self._priority = priority

    def configure(self, cluster: Site, director: str, work: Path) -> Path:
        config = work / f"{director}-keepalived.conf"
        config.write_text("\n".join(configuration(cluster.model, director, self._priority)) + "\n")
        return config

    def command(self, cluster: Site, director: str, work: Path) -> list[str]:
        config = self.configure(cluster, director, work)
        return ["keepalived", "--dont-fork", "--use-file", str(config)]

    def ready(self, node: Node) -> str:
        """It can only be asked through what it does, and that everybody looks at anyway."""
        return ""


def configuration(model: Model, director: str, priority: int | None = None) -> Iterator[str]:
    """keepalived.conf of one director: routers and priorities, services, servers and checks are the file's.

    An instance of keepalived's has one family, so a router of both is two instances, which a group keeps together.
    """
    yield "global_defs {"
    yield f"  router_id {director}"
    if model.sync:
        yield f"  lvs_sync_daemon {model.sync.interfaces[director]} id {model.sync.sync_id}"
    yield "}"
    for router in model.routers_of(director):
        families = sorted({address.ip.version for address in router.addresses})
        for family in families:
            yield from _instance(router, director, family, priority)
        if len(families) > 1:
            yield f"vrrp_sync_group {router.name} {{"
            yield "  group {"
            yield from (f"    {_name(router, family)}" for family in families)
            yield "  }"
            yield "}"
    for service in model.services.values():
        for port in service.ports:
            yield from _virtual_server(service, port)


def _name(router: Router, family: int) -> str:
    return router.name if family == 4 else f"{router.name}_ipv6"


def _instance(router: Router, director: str, family: int, priority: int | None) -> Iterator[str]:
    member = router.members[director]
    yield f"vrrp_instance {_name(router, family)} {{"
    yield "  state BACKUP"
    yield f"  interface {member.interface}"
    yield f"  version {router.version}"
    yield f"  virtual_router_id {router.vrid}"
    yield f"  priority {priority or member.priority}"
    yield f"  advert_int {router.advert_interval:g}"
    if not router.preempt.allowed:
        yield "  nopreempt"
    if router.password is not None:
        yield "  authentication {"
        yield "    auth_type PASS"
        yield f"    auth_pass {router.password}"
        yield "  }"
    if router.transport is Transport.UNICAST:
        yield f"  unicast_src_ip {member.address if family == 4 else member.address6}"
        yield "  unicast_peer {"
        for name, other in router.members.items():
            if name != director:
                yield f"    {other.address if family == 4 else other.address6}"
        yield "  }"
    yield "  virtual_ipaddress {"
    for address in router.addresses_on(director):
        if address.ip.version == family:
            yield f"    {address.interface} dev {address.device}"
    yield "  }"
    yield "}"


def _virtual_server(service: Service, port: int) -> Iterator[str]:
    yield f"virtual_server {service.address} {port} {{"
    yield f"  lb_algo {service.scheduler}"
    for flag in sorted(service.flags):
        yield f"  {flag}"
    yield "  lb_kind DR"
    yield f"  protocol {service.protocol.value.upper() if service.protocol else 'TCP'}"
    if service.check:
        yield f"  delay_loop {service.check.interval:g}"
    for server in service.servers.values():
        yield from _real_server(server, port, service.check)
    yield "}"


def _real_server(server: Server, port: int, check: Check | None) -> Iterator[str]:
    yield f"  real_server {server.address} {port} {{"
    yield f"    weight {server.weight}"
    if check:
        yield from _checker(check.probe)
        yield f"      connect_port {check.port or port}"
        yield f"      connect_timeout {max(1, round(check.timeout))}"
        yield f"      retry {check.fall - 1}"
        yield f"      delay_before_retry {check.fast_interval:g}"
        yield "    }"
    yield "  }"


def _checker(probe: Probe) -> Iterator[str]:
    """The checker's first lines; what follows is common to all."""
    match probe:
        case HttpProbe():
            first, last = probe.statuses[0]
            yield "    HTTP_GET {"
            yield f"      url {{\n        path {probe.path}\n        status_code {first}-{last}\n      }}"
        case DnsProbe():
            yield "    DNS_CHECK {"
            yield f"      type {dns.Type(probe.type).name}"
            yield f"      name {probe.name}"
        case _:
            yield "    TCP_CHECK {"
