"""Virtual services: what each answers for, and options that need one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import view as viewed
from haman.config.mistakes import Finding
from haman.config.rules import marks
from haman.config.shape.services import Scheduler, SchedulerFlag
from haman.config.suggest import near
from haman.model.kernel import SENTINEL_FWMARK
from haman.model.services import Forward, OnFailure, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.services import Service
    from haman.config.view import View

FLAGS = {
    Scheduler.MH: (SchedulerFlag.MH_PORT, SchedulerFlag.MH_FALLBACK),
    Scheduler.SH: (SchedulerFlag.SH_PORT, SchedulerFlag.SH_FALLBACK),
}
FALLBACKS = {scheduler: fallback for scheduler, (_, fallback) in FLAGS.items()}


def findings(view: View) -> Iterator[Finding]:
    for name, service in view.file.services.items():
        path: Path = ("services", name)
        if service.fwmark is None:
            yield from _at_address(view, path, service)
        else:
            yield from _at_mark(path, service)
        yield from marks.of_service(view, path, service)
        yield from _scheduler(path, service)
        yield from _clients(path, service)
        yield from _failure(path, service)
        if service.tunnel and not any(
            viewed.forward(service, server) is Forward.TUN for server in service.servers.values()
        ):
            what = "there is a tunnel, but no server is reached by 'forward: tun'"
            yield Finding((*path, "tunnel"), what, "add it, or remove the tunnel", at_key=True)
        translated = [viewed.forward(service, server) is Forward.FULLNAT for server in service.servers.values()]
        if service.source is not None and not any(translated):
            what = "there is a source, but no server is reached by 'forward: fullnat'"
            yield Finding((*path, "source"), what, "add it, or remove the source", at_key=True)
    yield from _twice(view)
    yield from marks.between(view)


def _at_address(view: View, path: Path, service: Service) -> Iterator[Finding]:
    if service.family is not None:
        cure = "remove it: the address has its own family"
        yield Finding((*path, "family"), "only a service with a 'fwmark' has a family", cure, at_key=True)
    if service.address is None:
        what = "there is neither an 'address' nor a 'fwmark'"
        yield Finding(path, what, "add 'address:' with a VIP of a router", at_key=True)
    elif view.router_by_vip and service.address not in view.router_by_vip and "routers" not in view.broken:
        vips = {str(address) for address in view.router_by_vip}
        meant = near(str(service.address), sorted(vips))
        cure = f"did you mean {meant}?" if meant else f"add it to the addresses of a router, or use {min(vips)}"
        yield Finding((*path, "address"), f"{service.address} is not a VIP of any router", cure, certain=True)
    if service.port is not None and service.ports is not None:
        yield Finding((*path, "port"), "there are both 'port' and 'ports'", "put all into 'ports'", at_key=True)
    if service.port is None and service.ports is None:
        yield Finding(path, "there is neither 'port' nor 'ports'", "add 'port: 80'", at_key=True)
    for index, port in enumerate(service.ports or []):
        if port in (service.ports or [])[:index]:
            yield Finding((*path, "ports", index), f"port {port} is here twice", "remove it once", certain=True)


def _at_mark(path: Path, service: Service) -> Iterator[Finding]:
    for key in ("address", "port", "ports", "protocol"):
        if getattr(service, key) is not None:
            what = f"a service has either a 'fwmark' or {'an' if key == 'address' else 'a'} '{key}'"
            yield Finding((*path, key), what, "remove one: what bears the mark is said by 'match'", at_key=True)
    if service.fwmark == SENTINEL_FWMARK:
        what = f"the mark {service.fwmark} is haman's own (an empty service keeps the IPVS table from being empty)"
        yield Finding((*path, "fwmark"), what, "choose another number")


def _scheduler(path: Path, service: Service) -> Iterator[Finding]:
    allowed = FLAGS.get(service.scheduler, ())
    for index, flag in enumerate(service.flags or []):
        where: Path = (*path, "flags", index)
        if flag in (service.flags or [])[:index]:
            yield Finding(where, f"'{flag.value}' is here twice", "remove it once", certain=True)
        elif flag not in allowed:
            owner = next(scheduler for scheduler, flags in FLAGS.items() if flag in flags)
            what = f"'{flag.value}' is an option of scheduler '{owner.value}', and this is '{service.scheduler.value}'"
            same = [twin for twin in allowed if twin.value.split("-")[1] == flag.value.split("-")[1]]
            cure = f"write '{same[0].value}'" if same else f"remove it, or write 'scheduler: {owner.value}'"
            yield Finding(where, what, cure)
    quiesced = service.on_failure is OnFailure.QUIESCE
    for scheduler, fallback in FALLBACKS.items():
        if service.scheduler is scheduler and quiesced and fallback not in viewed.flags(service):
            what = f"with scheduler '{scheduler.value}' clients of a quiesced server are refused, not sent elsewhere"
            cure = f"add '{fallback.value}' to the flags" if service.flags else f"add 'flags: [{fallback.value}]'"
            yield Finding((*path, "scheduler"), what, cure, warning=True)


def _clients(path: Path, service: Service) -> Iterator[Finding]:
    protocol = viewed.protocol(service)
    if service.one_packet and protocol not in (Protocol.UDP, None):
        what = f"only UDP can be scheduled packet by packet, and this is {protocol.value if protocol else ''}"
        yield Finding((*path, "one_packet"), what, "remove it, or write 'protocol: udp'")
    for name, server in service.servers.items() if service.one_packet else ():
        if viewed.translates(service, server):
            what = (
                f"server '{name}' is reached by 'forward: {viewed.forward(service, server).value}', and with one packet"
                " at a time nothing is remembered by which its answers could be translated back"
            )
            yield Finding((*path, "one_packet"), what, "remove it, or write 'forward: dr'")
            break
    persistence = service.persistence
    if persistence is None:
        return
    if persistence.prefix is not None and persistence.prefix > 32 and not viewed.is_ipv6(service):
        yield Finding((*path, "persistence", "prefix"), "an IPv4 address has only 32 bits", "write 1 to 32")
    if persistence.engine is not None and protocol not in (Protocol.UDP, None):
        what = "the kernel knows SIP over UDP only"
        yield Finding((*path, "persistence", "engine"), what, "remove it, or write 'protocol: udp'")


def _failure(path: Path, service: Service) -> Iterator[Finding]:
    floor, servers = service.minimum_up, len(service.servers)
    if floor.count > servers:
        what = f"{floor.count} servers shall stay, and there are {servers}"
        yield Finding((*path, "minimum_up"), what, f"write at most {servers}, or a percentage")
    elif floor.share == 1 or floor.count == servers:
        what = "no server is ever taken out, whatever its check says"
        yield Finding((*path, "minimum_up"), what, "leave room for at least one", warning=True)
    if service.protocol is Protocol.UDP and service.on_failure is OnFailure.QUIESCE and not service.one_packet:
        what = "a UDP client that keeps its port stays with a failed server for as long as it goes on sending"
        cure = "write 'on_failure: remove', with which its next packet goes elsewhere, or 'one_packet: true'"
        yield Finding((*path, "on_failure"), what, cure, warning=True)
    if service.check is None:
        what = "there is no check: a dead server goes on getting traffic"
        yield Finding(
            path, what, "add 'check: {tcp: {}}', or 'check: false' if that is meant", at_key=True, warning=True
        )
    if not any(server.weight for server in service.servers.values()):
        what = "every server has weight 0: nobody gets a connection"
        yield Finding((*path, "servers"), what, "give one a weight", at_key=True, warning=True)


def _twice(view: View) -> Iterator[Finding]:
    """The kernel has one service for each protocol, address and port, and one for each mark and family."""
    first: dict[object, str] = {}
    for name, service in view.file.services.items():
        path: Path = ("services", name)
        if service.fwmark is not None:
            family = "ipv6" if viewed.is_ipv6(service) else "ipv4"
            other = first.setdefault((service.fwmark, family), name)
            if other != name:
                what = f"mark {service.fwmark} ({family}) is that of service '{other}' already"
                yield Finding((*path, "fwmark"), what, "put the servers into one service, or use another mark")
            continue
        protocol = viewed.protocol(service)
        for port, below in viewed.ports(service).items():
            other = first.setdefault((protocol, service.address, port), name)
            if other != name and protocol and service.address:
                what = f"{protocol.value} {service.address}:{port} is that of service '{other}' already"
                yield Finding((*path, *below), what, "put the servers into one service, or use another port")
