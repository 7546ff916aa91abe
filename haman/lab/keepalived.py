"""keepalived on the directors, configured from the same file: the peer that haman is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model.cluster import HttpProbe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from haman.lab.cluster import Cluster
    from haman.lab.software import Node
    from haman.model.cluster import Check, Server, Service
    from haman.model.cluster import Cluster as Model


class Keepalived:
    """Debian's keepalived, set up as its own documentation advises: VRRPv3, both sync daemons for ever."""

    name = "keepalived"

    def command(self, cluster: Cluster, director: str, work: Path) -> list[str]:
        config = work / f"{director}-keepalived.conf"
        config.write_text("\n".join(configuration(cluster.model, director)) + "\n")
        return ["keepalived", "--dont-fork", "--use-file", str(config)]

    def ready(self, node: Node) -> str:
        """It can only be asked through what it does, and that everybody looks at anyway."""
        return ""


def configuration(model: Model, director: str) -> Iterator[str]:
    """keepalived.conf of one director. Its first router and priorities, services, servers and checks are the file's."""
    router = next(iter(model.routers.values()))
    member = router.members[director]
    yield "global_defs {"
    yield f"  router_id {director}"
    yield "  vrrp_version 3"
    if model.sync:
        yield f"  lvs_sync_daemon {model.sync.interfaces[director]} id {model.sync.sync_id}"
    yield "}"
    yield f"vrrp_instance {router.name} {{"
    yield "  state BACKUP"
    yield f"  interface {member.interface}"
    yield f"  virtual_router_id {router.vrid}"
    yield f"  priority {member.priority}"
    yield f"  advert_int {router.advert_interval:g}"
    if not router.preempt.allowed:
        yield "  nopreempt"
    yield "  virtual_ipaddress {"
    for address in router.addresses:
        yield f"    {address.interface} dev {address.device}"
    yield "  }"
    yield "}"
    for service in model.services.values():
        for port in service.ports:
            yield from _virtual_server(service, port)


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
        http = isinstance(check.probe, HttpProbe)
        yield "    HTTP_GET {" if http else "    TCP_CHECK {"
        if isinstance(check.probe, HttpProbe):
            first, last = check.probe.statuses[0]
            yield f"      url {{\n        path {check.probe.path}\n        status_code {first}-{last}\n      }}"
        yield f"      connect_port {check.port or port}"
        yield f"      connect_timeout {max(1, round(check.timeout))}"
        yield f"      retry {check.fall - 1}"
        yield f"      delay_before_retry {check.fast_interval:g}"
        yield "    }"
    yield "  }"
