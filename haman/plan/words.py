"""A kernel object's settings as an operator reads them, in parentheses behind its name."""

from __future__ import annotations

from typing import assert_never

from haman.model.kernel import (
    AddressConfig,
    Config,
    DaemonConfig,
    DestinationConfig,
    DeviceConfig,
    GuePortConfig,
    RouteConfig,
    RuleConfig,
    ServiceConfig,
    SysctlConfig,
    TableConfig,
    TimeoutsConfig,
)


def words(config: Config) -> str:
    """` (dr, weight 1)`, ` = 1` or nothing; starts with its own blank."""
    match config:
        case AddressConfig(label=label):
            return f" (label {label})" if label else ""
        case RouteConfig(via, device, source, local):
            parts = [
                "local" if local else "",
                f"via {via}" if via else "",
                f"dev {device}" if device else "",
                f"src {source}" if source else "",
            ]
            parts = [" ".join(filter(None, parts))]
        case RuleConfig() | GuePortConfig():
            return ""
        case DeviceConfig(kind, local, checksum):
            parts = [f"{kind.value} to {local}", *(["with checksums"] if checksum else [])]
        case SysctlConfig(value):
            return f" = {value}"
        case ServiceConfig():
            parts = _service(config)
        case DestinationConfig():
            parts = _destination(config)
        case DaemonConfig():
            parts = [config.interface, f"id {config.sync_id}", f"{config.group} port {config.port} ttl {config.ttl}"]
            parts += [f"maxlen {config.max_length}"] if config.max_length else []
        case TimeoutsConfig():
            named = {"tcp": config.tcp, "tcp fin": config.tcp_fin, "udp": config.udp}
            parts = [f"{name} {seconds} s" for name, seconds in named.items() if seconds]
        case TableConfig(text):
            rules = [line for line in text.splitlines() if line.startswith("\t\t") and "; policy " not in line]
            marks = sum(" meta mark set " in line for line in rules)
            parts = [f"rules: {marks} for marks, {len(rules) - marks} for new sources"]
        case _:
            assert_never(config)
    return f" ({', '.join(parts)})"


def _service(config: ServiceConfig) -> list[str]:
    parts = [config.scheduler, *sorted(config.flags)]
    if config.persistence:
        parts.append(f"persistent {config.persistence} s, clients by /{config.prefix}")
    if config.engine:
        parts.append(f"engine {config.engine}")
    if config.one_packet:
        parts.append("one packet")
    return parts


def _destination(config: DestinationConfig) -> list[str]:
    parts = ["local" if config.local else config.forward.value, f"weight {config.weight}"]
    if config.tunnel is not None:
        port = f" port {config.tunnel.port}" if config.tunnel.port else ""
        parts.append(f"{config.tunnel.type.value}{port} checksum {config.tunnel.checksum.value}")
    if config.upper_threshold:
        parts.append(f"connections {config.lower_threshold} to {config.upper_threshold}")
    return parts
