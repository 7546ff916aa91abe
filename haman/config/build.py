"""The checked file -> the model's Cluster. No judgement here: the rules have found nothing wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import build_probes, marking, matching
from haman.config import build_routing as routing
from haman.config import sync as syncing
from haman.config import view as viewed
from haman.config.build_tracking import Tracking
from haman.config.shape.around import Channel
from haman.config.shape.checks import Check
from haman.config.shape.routers import Confirm, PreemptAfter
from haman.config.shape.sites import Failover, Manual, Return
from haman.config.shape.tunnels import Tunnel
from haman.model import arbiter as model_arbiter
from haman.model import checks as model_checks
from haman.model import cluster as model
from haman.model import confirmation as model_confirmation
from haman.model import routers as model_routers
from haman.model import services as model_services
from haman.model import sites
from haman.model.authentication import Authentication, KeyFile
from haman.model.relay import Terms

if TYPE_CHECKING:
    from haman.config.shape.arbiter import Arbiter
    from haman.config.shape.around import Hook
    from haman.config.shape.routers import Router
    from haman.config.shape.services import Persistence, Server, Service
    from haman.config.shape.sites import Backup
    from haman.config.view import View
    from haman.model.addresses import Address

FAST_INTERVAL = 0.5
"""Seconds; what `fast_interval` is when it is left out, unless `interval` is shorter."""


def cluster(view: View) -> model.Cluster:
    """The whole cluster, every default filled in."""
    file = view.file
    tracking = Tracking(file)
    checks = {name: _check(name, check) for name, check in file.checks.items()}
    return model.Cluster(
        name=file.cluster,
        directors={
            name: model_routers.Director(
                name=name,
                address=director.address,
                address6=director.address6,
                hostnames=tuple(director.hostnames),
                macs=tuple(director.macs),
            )
            for name, director in file.directors.items()
        },
        routers={name: _router(view, name, router, tracking) for name, router in file.routers.items()},
        groups=tracking.groups(),
        trackers=tracking.trackers(),
        services={name: _service(view, name, service, checks) for name, service in file.services.items()},
        sync=_sync(view),
        channel=_channel(view),
        authentication=_authentication(view),
        arbiter=_arbiter(file.arbiter),
        timeouts=model.Timeouts(
            tcp=int(file.timeouts.tcp or 0), tcp_fin=int(file.timeouts.tcp_fin or 0), udp=int(file.timeouts.udp or 0)
        ),
        hooks=tuple(_hook(hook) for hook in file.hooks),
        metrics=file.metrics.listen if file.metrics else None,
        control_group=file.control.group,
        log_format=file.log.format,
        log_level=file.log.level.value,
    )


def _router(view: View, name: str, router: Router, tracking: Tracking) -> model_routers.Router:
    members = {
        seat.director: model_routers.Member(
            director=seat.director,
            priority=seat.priority,
            interface=seat.interface or "",
            address=seat.address,
            address6=seat.address6,
        )
        for seat in view.seats(name).values()
    }
    interface = router.interface or next(iter(members.values())).interface
    addresses = tuple(
        model_routers.VirtualAddress(
            interface=vip.interface,
            device=vip.dev or interface,
            pinned=vip.dev is not None,
            excluded=vip.excluded,
            label=vip.label or "",
        )
        for vip in view.vips_of(name)
    )
    by_default = (
        model_routers.StandbyAddress.LOOPBACK if name in view.served_routers() else model_routers.StandbyAddress.NOWHERE
    )
    preempt = router.preempt
    return model_routers.Router(
        name=name,
        vrid=router.vrid,
        advert_interval=router.advert_interval,
        addresses=addresses,
        members=members,
        version=router.version,
        password=router.auth.password if router.auth else None,
        authenticated=view.authenticated(name),
        transport=router.transport,
        minimum_ttl=router.minimum_ttl,
        checksum=router.checksum,
        preempt=(
            model_routers.Preempt(allowed=True, after=preempt.after)
            if isinstance(preempt, PreemptAfter)
            else model_routers.Preempt(allowed=preempt)
        ),
        track=tracking.interfaces(router.track),
        watch=tracking.uses(router.track),
        routes=tuple(map(routing.route, router.routes)),
        rules=tuple(map(routing.rule, router.rules)),
        announce=model_routers.Announce(
            count=router.announce.count, spacing=router.announce.spacing, repeat=tuple(router.announce.repeat)
        ),
        confirm=_confirm(router.confirm),
        standby_address=router.standby_address or by_default,
        linger=router.linger,
    )


def _confirm(confirm: bool | Confirm) -> model_confirmation.Confirm | None:
    if not confirm:
        return None
    confirm = confirm if isinstance(confirm, Confirm) else Confirm()
    return model_confirmation.Confirm(
        attempts=confirm.attempts,
        pause=confirm.pause,
        addresses=confirm.addresses,
        neighbours=confirm.neighbours,
    )


def _check(name: str, check: Check) -> model_checks.Check:
    fast = check.fast_interval if check.fast_interval is not None else min(FAST_INTERVAL, check.interval)
    return model_checks.Check(
        name=name,
        probe=build_probes.probe(check),
        interval=check.interval,
        fast_interval=fast,
        timeout=check.timeout,
        rise=check.rise,
        fall=check.fall,
        jitter=check.jitter,
        port=check.port,
        source=build_probes.source(check),
    )


def _service(view: View, name: str, service: Service, checks: dict[str, model_checks.Check]) -> model_services.Service:
    check = _checked(f"{name}/check", service.check, checks)
    return model_services.Service(
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
        match=tuple(match for _, match in matching.matches(view, service)),
        masquerade=service.masquerade,
        screens=marking.screens(view, service),
        screened=service.match is not None and viewed.may_circle(view, service),
        backups=tuple(
            _backup(name, service, index, backup, check, checks) for index, backup in enumerate(service.backup or ())
        ),
        failover=_failover(service.failover or Failover.model_validate({})),
        visits=marking.visits(view, service),
    )


def _checked(
    name: str, written: str | bool | Check | None, checks: dict[str, model_checks.Check]
) -> model_checks.Check | None:
    """name: of one that is written here. A slash is in no name, so it is nobody else's."""
    if isinstance(written, str):
        return checks[written]
    return _check(name, written) if isinstance(written, Check) else None


def _backup(
    service_name: str,
    service: Service,
    index: int,
    backup: Backup,
    check: model_checks.Check | None,
    checks: dict[str, model_checks.Check],
) -> sites.Backup:
    name = viewed.backup_name(backup, index)
    forward = viewed.way(service, backup, index)
    tunnel = backup.tunnel or Tunnel.model_validate({})
    source = tuple(backup.source) if backup.source is not None else _vip(service)
    sourced = forward in (model_services.Forward.FULLNAT, model_services.Forward.RELAY)
    own = _checked(f"{service_name}@{name}/check", backup.check, checks)
    return sites.Backup(
        name=name,
        servers={
            key: model_services.Server(
                name=key,
                address=address,
                weight=weight,
                port=port,
                forward=forward,
                tunnel=model_services.Tunnel(type=tunnel.type, port=tunnel.port or 0, checksum=tunnel.checksum)
                if forward is model_services.Forward.TUN
                else None,
                source=tuple(each for each in source if each.version == address.version) if sourced else (),
                relay=index + 1 if forward is model_services.Forward.RELAY else 0,
            )
            for key, (address, port, weight) in viewed.backup_servers(backup, index).items()
        },
        check=check if backup.check is None else own,
        origins=tuple(backup.origins or ()),
        relay=_terms(service, backup) if forward is model_services.Forward.RELAY else None,
    )


def _terms(service: Service, backup: Backup) -> Terms:
    written = {key: value for key in viewed.RELAYED if (value := getattr(backup, key)) is not None}
    if service.protocol is model_services.Protocol.UDP:
        return Terms(**{"sessions": 20_000, "idle": 60.0, **written})
    return Terms(**written)


def _vip(service: Service) -> tuple[Address, ...]:
    return () if service.address is None else (service.address,)


def _failover(failover: Failover) -> sites.Failover:
    below = viewed.below(failover)
    home = failover.return_ if isinstance(failover.return_, Return) else Return.model_validate({})
    return sites.Failover(
        below=below,
        hold=failover.hold,
        above=home.above if home.above is not None else (1 + below) / 2,
        after=home.after,
        manual=failover.return_ is Manual.MANUAL,
        all_down=failover.all_down,
        spill_over=failover.spill_over,
    )


def _server(view: View, name: str, service: Service, server: Server) -> model_services.Server:
    address = view.address_of(service, server)
    assert address is not None
    tunnel = viewed.tunnel(service, server)
    return model_services.Server(
        name=name,
        address=address,
        weight=server.weight,
        port=server.port,
        forward=viewed.forward(service, server),
        tunnel=None
        if tunnel is None
        else model_services.Tunnel(type=tunnel.type, port=tunnel.port or 0, checksum=tunnel.checksum),
        upper_threshold=server.upper_threshold,
        lower_threshold=server.lower_threshold,
        director=server.director or view.director_by_address.get(address),
        source=tuple(each for each in viewed.source(service, server) if each.version == address.version),
    )


def _persistence(service: Service, persistence: Persistence) -> model_services.Persistence:
    return model_services.Persistence(
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
        wait=sync.wait,
        backup_only=sync.backup_only,
    )


def _channel(view: View) -> model.Channel | None:
    written = view.file.channel
    if written is False or (written is None and len(view.file.directors) < 2):
        return None
    settings = written if isinstance(written, Channel) else Channel.model_validate({})
    return model.Channel(port=settings.port, key_file=settings.key_file)


def _authentication(view: View) -> Authentication | None:
    written = view.file.authentication
    if written is None:
        return None
    return Authentication(
        keys=tuple(KeyFile(number=key.id, path=key.file) for key in written.keys),
        send=written.send or written.keys[0].id,
        mode=written.mode,
        window=None if written.window is False else written.window,
    )


def _arbiter(written: Arbiter | None) -> model_arbiter.Arbiter | None:
    if written is None:
        return None
    voices = len(written.ping) + len(written.arp) + len(written.directors)
    return model_arbiter.Arbiter(
        ping=tuple(written.ping),
        arp=tuple(written.arp),
        directors=tuple(written.directors),
        quorum=written.quorum or voices // 2 + 1,
        strict=written.strict,
        interface=written.dev,
        interval=written.interval,
        timeout=written.timeout,
    )


def _hook(hook: Hook) -> model.Hook:
    return model.Hook(
        on=frozenset(hook.on),
        argv=tuple(hook.run),
        timeout=hook.timeout,
        user=hook.user,
        routers=frozenset(hook.routers or ()),
        groups=frozenset(hook.groups or ()),
        services=frozenset(hook.services or ()),
        arguments=hook.arguments,
    )
