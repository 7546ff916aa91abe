"""The packet-filter table of a real server without the VIP: what comes for one is for this machine.

The same table as a director's (`wire.nftables`), so a machine has one or the other.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from haman.wire.nftables import FAMILY, TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from haman.model.addresses import Address

_SET = re.compile(r"ip6? daddr \{ (.*?) \} redirect")


def redirecting(vips: Collection[Address], *, new: bool = True) -> str:
    """The file that makes the table, in one transaction. Not new: nothing more is redirected, and what runs goes on, as
    the first chain has the kernel track connections for as long as the table is there. With the last rule that asks for
    it the translation of every connection ends."""
    lines = [
        f"add table {FAMILY} {TABLE}",
        f"delete table {FAMILY} {TABLE}",
        f"table {FAMILY} {TABLE} {{",
        "\tchain tracked {",
        "\t\ttype filter hook prerouting priority mangle; policy accept;",
        "\t\tct state established accept",
        "\t}",
        "\tchain redirected {",
        "\t\ttype nat hook prerouting priority dstnat; policy accept;",
    ]
    for version, name in ((4, "ip"), (6, "ip6")):
        own = sorted((vip for vip in vips if vip.version == version), key=int)
        if own:
            rule = f"{name} daddr {{ {', '.join(map(str, own))} }} redirect"
            lines.append(f"\t\t{rule if new else f'# {rule}'}")
    return "\n".join([*lines, "\t}", "}", ""])


def redirected(text: str) -> frozenset[Address]:
    """The VIPs of a text that `redirecting` has made."""
    return frozenset(ip_address(word) for names in _SET.findall(text) for word in names.split(", "))


def streams(conntrack: Iterable[str], vips: Collection[Address]) -> int:
    """TCP connections that are established and began with a call to one of these VIPs. conntrack: the lines of
    /proc/net/nf_conntrack, where the first `dst=` is what the client called."""
    called = (re.search(r"\bdst=(\S+)", line) for line in conntrack if " ESTABLISHED " in line)
    return sum(found is not None and ip_address(found[1]) in vips for found in called)
