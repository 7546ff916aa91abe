"""The word that was probably meant: a near one, or what another program calls the same thing."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_LONGEST = 60
"""Longer words are not typing errors of anything here."""

_ELSEWHERE = {
    # keepalived
    "virtual_router_id": "vrid",
    "advert_int": "advert_interval",
    "virtual_ipaddress": "addresses",
    "virtual_ipaddress_excluded": "addresses",
    "mcast_src_ip": "address",
    "unicast_src_ip": "address",
    "unicast_peer": "transport",
    "nopreempt": "preempt",
    "preempt_delay": "preempt",
    "track_interface": "track",
    "v3_checksum_as_v2": "checksum",
    "weight_penalty": "penalty",
    "vrrp_instance": "routers",
    "virtual_server": "services",
    "real_server": "servers",
    "lb_algo": "scheduler",
    "lvs_sched": "scheduler",
    "lb_kind": "forward",
    "lvs_method": "forward",
    "ops": "one_packet",
    "persistence_timeout": "persistence",
    "persistence_granularity": "prefix",
    "persistence_engine": "engine",
    "quorum": "minimum_up",
    "inhibit_on_failure": "on_failure",
    "uthreshold": "upper_threshold",
    "lthreshold": "lower_threshold",
    "delay_loop": "interval",
    "connect_timeout": "timeout",
    "retry": "fall",
    "connect_port": "port",
    "status_code": "status",
    "virtualhost": "host",
    "tcp_check": "tcp",
    "http_get": "http",
    "ssl_get": "https",
    "ssl": "https",
    "dns_check": "dns",
    "udp_check": "udp",
    "ping_check": "ping",
    "misc_check": "script",
    "exec": "script",
    "misc_path": "run",
    "misc_dynamic": "dynamic",
    "misc_timeout": "timeout",
    "http_protocol": "protocol",
    "regex": "expect",
    "sni_name": "server_name",
    "payload": "send",
    "bind_if": "source",
    "bindto": "source",
    "lvs_sync_daemon": "sync",
    "lvs_timeouts": "timeouts",
    "tcpfin": "tcp_fin",
    "syncid": "id",
    "sync_id": "id",
    "maxlen": "max_length",
    "notify": "hooks",
    # everybody else
    "nodes": "directors",
    "instances": "routers",
    "vips": "addresses",
    "virtual_addresses": "addresses",
    "ip": "address",
    "vip": "address",
    "aliases": "hostnames",
    "device": "dev",
    "dev": "interface",
    "backends": "servers",
    "real_servers": "servers",
    "virtual_services": "services",
    "healthcheck": "check",
    "health_check": "check",
    "algorithm": "scheduler",
    "balance": "scheduler",
    "method": "forward",
    "mark": "fwmark",
    "snat": "source",
    "command": "run",
    "script": "run",
    "events": "on",
    "url": "path",
    "statuses": "status",
}


def near(word: str, known: Collection[str]) -> str | None:
    """The one of `known` that `word` is probably a misspelling of."""
    if len(word) > _LONGEST:
        return None
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def near_key(word: str, known: Collection[str]) -> str | None:
    """The same for keys, which may also come from another program's language."""
    spelled = word.lower().replace("-", "_")
    if spelled in known:
        return spelled
    if (meant := _ELSEWHERE.get(spelled)) in known:
        return meant
    return near(spelled, known)


def listed(words: Iterable[str], most: int = 20) -> str:
    """`'a', 'b' or 'c'`; of many only the first."""
    every = [f"'{word}'" for word in words]
    if len(every) > most:
        return ", ".join(every[:most]) + f" and {len(every) - most} more"
    return " or ".join(filter(None, (", ".join(every[:-1]), every[-1]))) if every else "nothing"


def meant_or_known(word: str, known: Collection[str], noun: str) -> str:
    """The cure for a reference that leads nowhere."""
    if meant := near(word, known):
        return f"did you mean '{meant}'?"
    return f"choose {listed(sorted(known))}" if known else f"there are no {noun} in this file"
