"""What stands between clients and a director's services: marks, packet filter, synchronisation, settings; and --fix."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_interface
from typing import TYPE_CHECKING, Any

import pytest

from haman.cli import main
from haman.doctor import fixing
from haman.doctor.finding import Finding
from haman.kernel import sysctls
from haman.model.cluster import Sync
from haman.model.kernel import DaemonConfig, DaemonKey, DaemonRole, Kernel
from haman.model.relay import Terms
from haman.model.routers import StandbyAddress, VirtualAddress
from haman.model.services import Forward, Protocol, Server
from haman.model.sites import Backup
from tests.director.support import cluster, service
from tests.doctor.test_doctor import found, machine, scene, status, with_router, with_servers

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["machine"]  # the fixture

DAEMON = DaemonConfig("eth1", 7, IPv4Address("224.0.0.81"), 8848, 1, 0)
BOTH = Kernel(daemons=dict.fromkeys(map(DaemonKey, DaemonRole), DAEMON))
WEB = service()


def with_service(**changes: Any) -> Any:
    return cluster(services={"web": replace(WEB, **changes)})


def rule(chain: str, *expr: Any) -> dict[str, Any]:
    return {"rule": {"family": "inet", "table": "t", "chain": chain, "expr": list(expr)}}


def chain(hook: str, policy: str = "accept") -> dict[str, Any]:
    return {"chain": {"family": "inet", "table": "t", "name": hook, "type": "filter", "hook": hook, "policy": policy}}


INVALID = rule("input", {"match": {"left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"drop": None})
MARK = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}
MAPPED = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"map": {"key": {}, "data": {"set": [["80", 7]]}}}}}
TRACKING = {"sys/net/netfilter/nf_conntrack_tcp_loose": "1", "sys/net/ipv4/vs/conntrack": "0"}
SYNCED = cluster(sync=Sync(interfaces={"lb1": "eth1"}, sync_id=9, group=IPv4Address("224.0.0.81")))
MARKED = {"fwmark": 7, "address": None, "protocol": None, "ports": ()}
IDLE = {**WEB.servers, "rs1": replace(WEB.servers["rs1"], weight=0)}
SIX = {
    name: replace(server, address=ip_address(f"2001:db8::{number}"), forward=Forward.NAT)
    for number, (name, server) in enumerate(WEB.servers.items(), 1)
}

VIP6 = [VirtualAddress(interface=ip_interface("2001:db8::100/64"), device="eth0")]
SIX_LINE = "20010db8000000000000000000000100 02 40 00 {}     {}\n"

LIMITS = (
    "Limit   Soft Limit   Hard Limit   Units\nMax processes   1   2   processes\nMax open files   1024   {}   files"
)
RELAYED = {
    name: replace(
        WEB,
        name=name,
        protocol=protocol,
        backups=(
            Backup(
                name="east",
                servers={"east": Server(name="east", address=ip_address("192.0.2.9"), port=80, forward=Forward.RELAY)},
                relay=Terms(sessions=10000),
            ),
        ),
    )
    for name, protocol in (("web", Protocol.TCP), ("names", Protocol.UDP))
}

PLANTED: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "sessions without descriptors": (
        {"4711/limits": LIMITS.format(31998)},
        {"cluster": cluster(services=RELAYED)},
        "relay: the relay may take more sessions than it has file descriptors for: 30,000 of 29,999",
    ),
    "VIP as source": (
        {"net/if_inet6": SIX_LINE.format("80", "eth0")},
        {"cluster": with_router(addresses=VIP6)},
        "ipv6: this machine may call others from the VIP 2001:db8::100",
    ),
    "VIP that is a duplicate": (
        {"net/if_inet6": SIX_LINE.format("c8", "eth0")},
        {"cluster": with_router(addresses=VIP6)},
        "ipv6: the VIP 2001:db8::100 on eth0 is not usable",
    ),
    "daemon without interface": (
        {},
        {"table": BOTH, "links": {"lo": True, "eth0": True, "eth2": True}, "cluster": with_router(addresses=())},
        "sync: the sync daemon master is bound to eth1, which is gone",
    ),
    "daemon on a dead interface": (
        {},
        {"table": BOTH, "links": {"lo": True, "eth0": True, "eth1": False}, "cluster": with_router(addresses=())},
        "sync: the sync daemon master is on eth1, which is down or has no carrier",
    ),
    "backup_only": (
        {"sys/net/ipv4/vs/backup_only": "1"},
        {"table": BOTH},
        "sync: IPVS is switched off on this active director",
    ),
    "backup_only without its daemon": (
        {"sys/net/ipv4/vs/backup_only": "1"},
        {"table": Kernel()},
        "sync: IPVS balances on this machine although it is to leave that to the active director",
    ),
    "no daemon": (
        {},
        {"cluster": SYNCED, "table": Kernel()},
        "sync: the sync daemon master does not run",
    ),
    "daemon with another id": (
        {},
        {"cluster": SYNCED, "table": BOTH},
        "sync: the sync daemon master has the id 7, in the configuration it is 9",
    ),
    "sh": (
        {},
        {"cluster": with_service(scheduler="sh", servers=IDLE)},
        "services: service web refuses the clients of rs1",
    ),
    "no mark": (
        {},
        {"cluster": with_service(**MARKED), "rules": ()},
        "services: nothing marks packets with 7 for service",
    ),
    "reuse": (
        {"sys/net/ipv4/vs/conn_reuse_mode": "0"},
        {},
        "settings: net.ipv4.vs.conn_reuse_mode is not as haman needs it",
    ),
    "not sloppy": (
        {"sys/net/ipv4/vs/sloppy_tcp": "0"},
        {"cluster": with_service(scheduler="mh")},
        "settings: net.ipv4.vs.sloppy_tcp is not as haman needs it",
    ),
    "invalid, conntrack": (
        {**TRACKING, "sys/net/ipv4/vs/conntrack": "1"},
        {"rules": (chain("input"), INVALID)},
        "filters: the packet filter drops packets of direct routing and tunnels as invalid",
    ),
    "invalid, strict": (
        {**TRACKING, "sys/net/netfilter/nf_conntrack_tcp_loose": "0"},
        {"rules": (chain("input"), INVALID)},
        "filters: the packet filter drops packets of direct routing and tunnels as invalid",
    ),
    "masquerade": (
        {**TRACKING, "sys/net/ipv4/vs/conntrack": "1"},
        {"rules": (chain("postrouting"), rule("postrouting", {"masquerade": None}))},
        "filters: source NAT without a limit takes packets of direct routing",
    ),
    "closed": (
        {},
        {"rules": (chain("input", "drop"), rule("input", {"match": {"right": 22}}, {"accept": None}))},
        "filters: the packet filter may not let clients in to port 80",
    ),
    "forwarding IPv6": (
        {"sys/net/ipv6/conf/all/forwarding": "0"},
        {"cluster": with_service(servers=SIX)},
        "settings: this machine does not forward IPv6",
    ),
    "deaf": (
        {"sys/net/ipv4/conf/all/drop_gratuitous_arp": "1"},
        {"cluster": with_router(standby_address=StandbyAddress.NOWHERE)},
        "settings: this machine does not hear when a VIP moves",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(tmp_path: Path, name: str) -> None:
    settings, changes, expected = PLANTED[name]
    seen = scene(tmp_path, settings, **changes)
    words = sorted({each.replace("daemon backup", "daemon master")[: len(expected)] for each in found(seen)})
    assert words == [expected]


FINE: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "daemons": ({}, {"table": BOTH}),
    "sessions with descriptors": (
        {"4711/limits": LIMITS.format(31999)},
        {"cluster": cluster(services=RELAYED)},
    ),
    "backup_only on a standby": (
        {"sys/net/ipv4/vs/backup_only": "1"},
        {"table": BOTH, "status": status(routers=[status()["routers"][0] | {"role": "standby"}])},
    ),
    "not sloppy just after a move": (
        {"sys/net/ipv4/vs/sloppy_tcp": "0"},
        {
            "cluster": with_service(scheduler="mh"),
            "status": status(routers=[status()["routers"][0] | {"second_chance": "lb2"}]),
        },
    ),
    "VIP that is no source": (
        {"net/if_inet6": SIX_LINE.format("a0", "eth0") + SIX_LINE.format("80", "lo")},
        {"cluster": with_router(addresses=VIP6)},
    ),
    "sh with fallback": ({}, {"cluster": with_service(scheduler="sh", flags=frozenset({"sh-fallback"}), servers=IDLE)}),
    "a mark": ({}, {"cluster": with_service(**MARKED), "rules": (rule("prerouting", MARK),)}),
    "a mark from a map": ({}, {"cluster": with_service(**MARKED), "rules": (rule("prerouting", MAPPED),)}),
    "a mark by the old iptables, perhaps": (
        {"net/ip_tables_names": "mangle"},
        {"cluster": with_service(**MARKED), "rules": ()},
    ),
    "invalid, loose and not tracked": (TRACKING, {"rules": (chain("input"), INVALID)}),
    "invalid, but not where IPVS is": (
        {**TRACKING, "sys/net/ipv4/vs/conntrack": "1"},
        {"rules": (chain("output"), rule("output", *INVALID["rule"]["expr"]))},
    ),
    "invalid, with NAT": (
        {**TRACKING, "sys/net/ipv4/vs/conntrack": "1"},
        {"rules": (chain("input"), INVALID), "cluster": with_servers(Forward.NAT)},
    ),
    "masquerade with a limit": (
        {**TRACKING, "sys/net/ipv4/vs/conntrack": "1"},
        {
            "rules": (
                chain("postrouting"),
                rule("postrouting", {"match": {"left": {"payload": {"field": "daddr"}}}}, {"masquerade": None}),
            )
        },
    ),
    "open": (
        {},
        {"rules": (chain("input", "drop"), rule("input", {"match": {"right": 80}}, {"accept": None}))},
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_meant_so_is_not_complained_of(tmp_path: Path, name: str) -> None:
    settings, changes = FINE[name]
    assert found(scene(tmp_path, settings, **changes)) == []


def test_a_daemon_need_not_run_while_haman_does_not(tmp_path: Path) -> None:
    seen = scene(tmp_path, cluster=SYNCED, table=Kernel(), status=None)
    assert found(seen) == ["config: no haman answers here"]


# -- --fix ----------------------------------------------------------------------------------------------------


def finding(*settings: tuple[str, str]) -> Finding:
    return Finding(what="w", evidence="e", consequence="c", fix="f", settings=settings)


def test_a_fix_writes_what_findings_list_and_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysctls, "ROOT", tmp_path)
    (tmp_path / "net").mkdir()
    (tmp_path / "net/a").write_text("0\n")
    done = fixing.fix([finding(("net/a", "1")), finding(), finding(("net/a", "1"), ("none/b", "2"))])
    assert (tmp_path / "net/a").read_text() == "1"
    assert [str(each) for each in done] == [
        "FIXED: net.a = 1 (was 0); until the next boot",
        "NOT FIXED: set /proc/sys/none/b to '2' (this kernel has no such setting; those below net/ipv4/vs come with the"
        " module ip_vs): No such file or directory (errno 2)",
    ]


def test_without_fix_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(fixing, "fix", lambda findings: pytest.fail("it was asked to look only"))
    file = tmp_path / "haman.yaml"
    file.write_text("cluster: web\n")
    assert main(["doctor", "--config", str(file)]) == 3
