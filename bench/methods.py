"""The tables whose rates are measured: as haman's YAML, and as what an administrator types for the same.

Three tables, since two of them change what all packets of a director cost: `plain` has direct routing, NAT and tunnels,
`mark` a service by firewall mark with its rule, `fullnat` full NAT with its rule and connection tracking. Each has two
real servers, rr, TCP and UDP, IPv4 and IPv6; a method has a port of its own.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

VIPS: Final = {4: "10.9.0.100", 6: "fd09::100"}
DIRECTOR: Final = {4: "10.9.0.1", 6: "fd09::1"}
SERVERS: Final = {4: ("10.0.0.11", "10.0.0.12"), 6: ("fd00::11", "fd00::12")}
BEHIND: Final = {4: ("10.0.0.21", "10.0.0.22"), 6: ("fd00::21", "fd00::22")}
"""The same servers' second addresses: what comes from them goes back by way of the director."""
FIRST_PORT: Final = 8001
MARK: Final = 7
PLAIN, MARKED, FULL = "plain", "mark", "fullnat"


class Method(NamedTuple):
    """table: of which it is a part. words: in haman's file. flags: ipvsadm's. servers: their addresses by family."""

    name: str
    table: str
    port: int
    words: dict[str, Any]
    flags: str
    servers: dict[int, tuple[str, str]] = SERVERS


METHODS: Final = tuple(
    Method(name, table, FIRST_PORT + number, words, flags, BEHIND if name == "nat" else SERVERS)
    for number, (name, table, words, flags) in enumerate(
        [
            ("dr", PLAIN, {"forward": "dr"}, "-g"),
            ("nat", PLAIN, {"forward": "nat"}, "-m"),
            ("tun, ipip", PLAIN, {"forward": "tun"}, "-i"),
            ("tun, gre", PLAIN, {"forward": "tun", "tunnel": {"type": "gre"}}, "-i --tun-type gre"),
            (
                "tun, gue",
                PLAIN,
                {"forward": "tun", "tunnel": {"type": "gue", "port": 6080}},
                "-i --tun-type gue --tun-port 6080",
            ),
            ("dr by mark", MARKED, {"forward": "dr"}, "-g"),
            ("fullnat", FULL, {"forward": "fullnat"}, "-m"),
        ]
    )
)
TABLES: Final = (PLAIN, MARKED, FULL)


def of(table: str) -> list[Method]:
    return [method for method in METHODS if method.table == table]


def file(table: str) -> dict[str, Any]:
    """haman's file for one director, as plain data."""
    services: dict[str, Any] = {}
    for method in of(table):
        for version in VIPS:
            servers = {f"rs{n}": {"address": each} for n, each in enumerate(method.servers[version], 1)}
            common = {"scheduler": "rr", "check": False, **method.words, "servers": servers}
            if table == MARKED:
                match = [{"router": "public", "protocol": name, "ports": [method.port]} for name in ("tcp", "udp")]
                services[f"mark{version}"] = {"fwmark": MARK, "family": f"ipv{version}", "match": match, **common}
                continue
            for protocol in ("tcp", "udp"):
                where = {"address": VIPS[version], "port": method.port, "protocol": protocol}
                services[f"{protocol}{version}-{method.port}"] = {**where, **common}
    return {
        "cluster": "rates",
        "sync": False,
        "directors": {"lb1": {"address": DIRECTOR[4], "address6": DIRECTOR[6]}},
        "routers": {
            "public": {
                "interface": "eth0",
                "vrid": 51,
                "advert_interval": "1s",
                "addresses": [f"{VIPS[4]}/24", f"{VIPS[6]}/64"],
            }
        },
        "services": services,
    }


def by_hand(table: str) -> str:
    """What `ipvsadm -R` reads, a line for each command that one would type."""
    lines = []
    for method in of(table):
        for version, vip in VIPS.items():
            # A literal IPv6 address in brackets, as ipvsadm wants it.
            around = "{}" if version == 4 else "[{}]"
            real = [
                f"{around.format(each)}:{0 if table == MARKED else method.port}" for each in method.servers[version]
            ]
            six = " -6" if version == 6 else ""
            names = [f"-f {MARK}{six}"] if table == MARKED else []
            names = names or [f"-{protocol} {around.format(vip)}:{method.port}" for protocol in "tu"]
            for name in names:
                lines.append(f"-A {name} -s rr")
                lines += [f"-a {name} -r {each} {method.flags} -w 1" for each in real]
    return "\n".join(lines) + "\n"


def rules_by_hand(table: str) -> str:
    """What goes into nft; nothing for a table that needs no rules."""
    family = {4: "ip", 6: "ip6"}
    (port,) = {method.port for method in of(MARKED)}
    if table == MARKED:
        head = "type filter hook prerouting priority mangle; policy accept;"
        rules = [
            f"{family[version]} daddr {vip} {protocol} dport {port} meta mark set {MARK}"
            for version, vip in VIPS.items()
            for protocol in ("tcp", "udp")
        ]
    elif table == FULL:
        head = "type nat hook postrouting priority srcnat; policy accept;"
        rules = [
            f"ct original {family[version]} daddr {vip} {family[version]} daddr != {vip} masquerade"
            for version, vip in VIPS.items()
        ]
    else:
        return ""
    return "\n".join(["table inet hand {", "chain hand {", head, *rules, "}", "}", ""])
