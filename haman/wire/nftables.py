"""A Ruleset in nftables' language: one file that replaces haman's tables as a whole, in one transaction.

Read by nft 1.0.6 and later, on Linux 5.10 and later. Traps of nft 1.0.6 that the forms here avoid: a chain must end
with a newline before its brace; in a table of family inet the address after `snat` needs its family; a set that holds
ranges must not overlap. A table of family inet cannot send a packet to somebody else (`dup`), so what does has
tables of the families ip and ip6 beside it, of the same name.
"""

from __future__ import annotations

from ipaddress import collapse_addresses
from itertools import chain
from typing import TYPE_CHECKING

from haman.model.services import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from haman.model.addresses import Network
    from haman.model.filter import Mark, Ruleset, SecondChance, SourceNat

TABLE = "haman"
FAMILY = "inet"
FAMILIES = (FAMILY, "ip", "ip6")
"""Of the tables."""

AFTER_IPVS = 110
"""Where IPVS has seen a packet that came in (its last hook there is at 99), and taken it if it knows it."""

_IP = {4: "ip", 6: "ip6"}


def render(ruleset: Ruleset) -> str:
    """The whole file. All of it happens at one moment, and a connection that is translated stays so."""
    peers = []
    if any(mark.screened for mark in ruleset.marks):
        elements = f" elements = {{ {', '.join(sorted(ruleset.peers))} }};" if ruleset.peers else ""
        peers = [f"\tset peers {{ type ether_addr;{elements} }}"]
    marks = _chain("marks", "filter", "prerouting", "mangle", chain.from_iterable(map(_marking, ruleset.marks)))
    sources = _chain("sources", "nat", "postrouting", "srcnat", map(_nat, ruleset.nats))
    tables = _table(FAMILY, [*peers, *marks, *sources])
    for version, family in _IP.items():
        unknown = chain.from_iterable(_second(each) for each in ruleset.chances if each.version == version)
        tables = chain(tables, _table(family, list(_chain("unknown", "filter", "input", str(AFTER_IPVS), unknown))))
    return removal() + "".join(f"{line}\n" for line in tables)


def sends_on() -> str:
    """A file to be checked and not written: can this kernel send packets on, and tell which have a socket?"""
    chance = 'table {0} {1} {{\n\tchain unknown {{\n\t\tsocket wildcard 1 dup to {2} device "lo"\n\t}}\n}}\n'
    return "".join(chance.format(family, TABLE, to) for family, to in (("ip", "127.0.0.1"), ("ip6", "::1")))


def removal() -> str:
    """The file that takes the tables away, there or not: `delete` needs one to delete."""
    return "".join(f"{verb} table {family} {TABLE}\n" for family in FAMILIES for verb in ("add", "delete"))


def _table(family: str, content: Sequence[str]) -> Iterator[str]:
    if content:
        yield f"table {family} {TABLE} {{"
        yield from content
        yield "}"


def _chain(name: str, kind: str, hook: str, priority: str, rules: Iterable[str]) -> Iterator[str]:
    """Nothing for no rules: a chain of kind nat alone makes the kernel track every connection."""
    written = [f"\t\t{rule}" for rule in rules]
    if written:
        yield f"\tchain {name} {{"
        yield f"\t\ttype {kind} hook {hook} priority {priority}; policy accept;"
        yield from written
        yield "\t}"


def _marking(mark: Mark) -> Iterator[str]:
    what = _what(mark, mark.protocols)
    yield f"{what}{' ether saddr != @peers' if mark.screened else ''} meta mark set {mark.mark:#x}"
    if mark.screened and Protocol.UDP in mark.protocols:
        # IPVS looks a known connection up whatever the mark, but passes over what is said to be for another machine;
        # nothing else looks at that word in UDP. (TCP drops such a packet.)
        yield f"{_what(mark, (Protocol.UDP,))} ether saddr @peers meta pkttype set other"


def _what(mark: Mark, protocols: Iterable[Protocol]) -> str:
    family = _IP[mark.version]
    # Of a family inet table every packet passes: without an address to compare the family has to be said.
    parts = [f"meta nfproto ipv{mark.version}"] if not (mark.destinations or mark.sources or mark.excluded) else []
    if mark.incoming:
        parts.append(f'iifname "{mark.incoming}"')
    if mark.sources:
        parts.append(f"{family} saddr {_networks(mark.sources)}")
    if mark.destinations:
        parts.append(f"{family} daddr {_networks(mark.destinations)}")
    if mark.excluded:
        parts.append(f"{family} daddr != {_networks(mark.excluded)}")
    names = sorted(protocol.value for protocol in protocols)
    parts.append(f"meta l4proto {{ {', '.join(names)} }}")
    if mark.ports:
        parts.append(f"th dport {{ {', '.join(_ranges(mark.ports))} }}")
    if mark.diverted:
        # What is for this machine stays with it; its own addresses are nobody's way through.
        parts.append("fib daddr type != { local, broadcast, anycast, multicast }")
    return " ".join(parts)


def _nat(nat: SourceNat) -> str:
    family = _IP[nat.version]
    parts = [f"meta nfproto ipv{nat.version}"]
    if nat.mark:
        parts.append(f"meta mark {nat.mark:#x}")
    if nat.vip is not None:
        parts.append(f"ct original {family} daddr {nat.vip}")
    if nat.protocol is not None:
        parts.append(f"meta l4proto {nat.protocol.value}")
    if nat.ports:
        parts.append(f"ct original proto-dst {{ {', '.join(map(str, sorted(nat.ports)))} }}")
    if nat.servers:
        # Only what IPVS has given a server's address: a packet that it passes on unchanged keeps its source.
        servers = ", ".join(str(server) for server in sorted(nat.servers, key=int))
        parts.append(f"{family} daddr {{ {servers} }}")
    return f"{' '.join(parts)} {_source(nat)}"


def _second(chance: SecondChance) -> Iterator[str]:
    """Of a new connection IPVS has chosen a server; if it has none there is nobody who would know better.

    What IPVS leaves to a program of this machine comes by here as well, whether IPVS knows it or not. It stays if it
    has a socket: a connection in any state. A program's listener is a socket, too. One that takes every address is
    told by that (`wildcard`; the first rule); one on the VIP alone looks as a connection does, so that all stays with
    it. Connections that are not whole ones (SYN_RECV, TIME_WAIT) have no answer to `wildcard`, but one to
    `transparent`, be it yes or no."""
    parts = [f"ether saddr != {{ {', '.join(sorted(chance.macs))} }}"]
    if chance.mark:
        parts.append(f"meta mark {chance.mark:#x}")
    if chance.vip is not None:
        parts.append(f"{_IP[chance.version]} daddr {chance.vip}")
    if chance.ports:
        parts.append(f"tcp dport {{ {', '.join(map(str, sorted(chance.ports)))} }}")
    what = f"{' '.join(parts)} tcp flags & (syn | ack) != syn"
    away = f'dup to {chance.to} device "{chance.interface}" drop'
    yield f"{what} socket wildcard 1 {away}"
    yield f"{what} socket transparent {{ 0, 1 }} accept"
    yield f"{what} {away}"


def _source(nat: SourceNat) -> str:
    family = _IP[nat.version]
    if not nat.to:
        return "masquerade"
    if len(nat.to) == 1:
        return f"snat {family} to {nat.to[0]}"
    # A client keeps its source: some programs bind a session to it.
    pool = ", ".join(f"{number} : {address}" for number, address in enumerate(nat.to))
    return f"snat {family} to jhash {family} saddr mod {len(nat.to)} map {{ {pool} }}"


def _networks(networks: Iterable[Network]) -> str:
    """As a set. The whole of a family has no notation in a set but its prefix."""
    joined: list[Network] = []
    for version in (4, 6):
        joined += collapse_addresses(each for each in networks if each.version == version)  # type: ignore[type-var]
    return f"{{ {', '.join(map(_network, joined))} }}"


def _network(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _ranges(ports: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Sorted, with those that touch or overlap joined."""
    joined: list[list[int]] = []
    for first, last in sorted(ports):
        if joined and first <= joined[-1][1] + 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    for first, last in joined:
        yield str(first) if first == last else f"{first}-{last}"
