"""The checked file -> the model's Cluster. No judgement here: the rules have found nothing wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import sync as syncing
from haman.config import view as viewed
from haman.config.shape.routers import PreemptAfter
from haman.model import cluster as model

if TYPE_CHECKING:
    from haman.config.shape.around import Hook
    from haman.config.shape.checks import Check
    from haman.config.shape.routers import Router
    from haman.config.shape.services import Persistence, Server, Service
    from haman.config.view import View

FAST_INTERVAL = 0.5
"""Seconds; what `fast_interval` is when it is left out, unless `interval` is shorter."""


def cluster(view: View) -> model.Cluster:
    """The whole cluster, every default filled in."""
    file = view.file
    checks = {name: _check(name, check) for name, check in file.checks.items()}
    return model.Cluster(
        name=file.cluster,
        directors={
            name: model.Director(name=name, address=director.address, hostnames=tuple(director.hostnames))
            for name, director in file.directors.items()
        },
        routers={name: _router(view, name, router) for name, router in file.routers.items()},
        services={name: _service(view, name, service, checks) for name, service in file.services.items()},
        sync=_sync(view),
        timeouts=model.Timeouts(
            tcp=int(file.timeouts.tcp or 0), tcp_fin=int(file.timeouts.tcp_fin or 0), udp=int(file.timeouts.udp or 0)
        ),
        hooks=tuple(_hook(hook) for hook in file.hooks),
        metrics=file.metrics.listen if file.metrics else None,
        log_format=file.log.format,
        log_level=file.log.level.value,
    )


def _router(view: View, name: str, router: Router) -> model.Router:
    members = {
        seat.director: model.Member(
            director=seat.director, priority=seat.priority, interface=seat.interface or "", address=seat.address
        )
        for seat in view.seats(name).values()
    }
    interface = router.interface or next(iter(members.values())).interface
    addresses = tuple(
        model.VirtualAddress(interface=vip.interface, device=vip.dev or interface, pinned=vip.dev is not None)
        for vip in view.vips_of(name)
    )
    served = any(view.router_of(service) == name for service in view.file.services.values())
    by_default = model.StandbyAddress.LOOPBACK if served else model.StandbyAddress.NOWHERE
    preempt = router.preempt
    return model.Router(
        name=name,
        vrid=router.vrid,
        advert_interval=router.advert_interval,
        addresses=addresses,
        members=members,
        transport=router.transport,
        minimum_ttl=router.minimum_ttl,
        checksum=router.checksum,
        preempt=(
            model.Preempt(allowed=True, after=preempt.after)
            if isinstance(preempt, PreemptAfter)
            else model.Preempt(allowed=preempt)
        ),
        track=tuple(model.TrackedInterface(interface=track.interface, penalty=track.penalty) for track in router.track),
        announce=model.Announce(
            count=router.announce.count, spacing=router.announce.spacing, repeat=tuple(router.announce.repeat)
        ),
        standby_address=router.standby_address or by_default,
        linger=router.linger,
    )


def _check(name: str, check: Check) -> model.Check:
    http = check.http
    probe: model.Probe = model.TcpProbe()
    if http is not None:
        statuses = http.status if isinstance(http.status, list) else [http.status]
        probe = model.HttpProbe(path=http.path, host=http.host, statuses=tuple(statuses))
    fast = check.fast_interval if check.fast_interval is not None else min(FAST_INTERVAL, check.interval)
    return model.Check(
        name=name,
        probe=probe,
        interval=check.interval,
        fast_interval=fast,
        timeout=check.timeout,
        rise=check.rise,
        fall=check.fall,
        jitter=check.jitter,
        port=check.port,
    )


def _service(view: View, name: str, service: Service, checks: dict[str, model.Check]) -> model.Service:
    if isinstance(service.check, str):
        check: model.Check | None = checks[service.check]
    else:
        # A slash is in no name, so this one is nobody else's.
        check = _check(f"{name}/check", service.check) if service.check else None
    return model.Service(
        name=name,
        servers={key: _server(view, key, service, server) for key, server in service.servers.items()},
        scheduler=service.scheduler.value,
        flags=frozenset(flag.value for flag in viewed.flags(service)),
        protocol=viewed.protocol(service),
        address=service.address,
        ports=tuple(service.ports or ([] if service.port is None else [service.port])),
        fwmark=service.fwmark,
        fwmark_ipv6=viewed.is_ipv6(service),
        persistence=_persistence(service, service.persistence) if service.persistence else None,
        one_packet=service.one_packet,
        check=check,
        minimum_up=service.minimum_up,
        on_failure=service.on_failure,
    )


def _server(view: View, name: str, service: Service, server: Server) -> model.Server:
    address = view.address_of(server)
    assert address is not None
    tunnel = viewed.tunnel(service, server)
    return model.Server(
        name=name,
        address=address,
        weight=server.weight,
        port=server.port,
        forward=viewed.forward(service, server),
        tunnel=model.Tunnel(type=tunnel.type, port=tunnel.port or 0, checksum=tunnel.checksum) if tunnel else None,
        upper_threshold=server.upper_threshold,
        lower_threshold=server.lower_threshold,
        director=server.director or view.director_by_address.get(address),
    )


def _persistence(service: Service, persistence: Persistence) -> model.Persistence:
    return model.Persistence(
        timeout=int(persistence.timeout),
        prefix=persistence.prefix or (128 if viewed.is_ipv6(service) else 32),
        engine=persistence.engine.value if persistence.engine else None,
    )


def _sync(view: View) -> model.Sync | None:
    if not syncing.wanted(view.file):
        return None
    sync = syncing.settings(view.file)
    return model.Sync(
        interfaces={name: syncing.interface_for(view, name) or "" for name in view.file.directors},
        sync_id=sync.id or next(iter(view.file.routers.values())).vrid,
        group=sync.group,
        port=sync.port,
        ttl=sync.ttl,
        max_length=sync.max_length or 0,
    )


def _hook(hook: Hook) -> model.Hook:
    return model.Hook(
        on=frozenset(hook.on),
        argv=tuple(hook.run),
        timeout=hook.timeout,
        user=hook.user,
        routers=frozenset(hook.routers or ()),
    )
