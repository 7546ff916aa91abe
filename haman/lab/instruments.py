"""Are the instruments good enough to believe what they show? Reasons to doubt, in words; none means yes.

A client that was held up, or a buffer that overflowed, makes losses that are not the cluster's, and a machine that
stood still makes electors late through no fault of theirs. What happened under such instruments is "not measured",
whichever way the numbers point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from haman.lab.cluster import Cluster
    from haman.lab.hosts import Host
    from haman.lab.measure import Answered, Downloads, Pace, Shorts
    from haman.lab.results import Limit

STALL = 0.025
"""Seconds the 1 kHz client may be held up at a time while something is timed: half of the 50 ms that limits of gaps
allow."""

STALL_UNTIMED = 0.1
"""The same where nothing is timed: a pause this long moves no role, unless advertisements come faster than that."""

LATE_P99 = 0.005
"""Seconds late that 99 of 100 requests may be at most."""

SKIPPED = 0.25
"""Share of its deadlines that the client may have slept through: what it sent is counted, so they cost numbers and no
truth, but a machine that is as busy as that is no place to measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drops:
    """Counters of packets that were lost inside hosts, by where: growing counts."""

    counts: Mapping[str, int]

    def since(self, earlier: Drops) -> dict[str, int]:
        """What was lost meanwhile, by where; empty when nothing was."""
        grown = {where: count - earlier.counts.get(where, 0) for where, count in self.counts.items()}
        return {where: count for where, count in grown.items() if count > 0}


def drops(cluster: Cluster, client_dropped: int) -> Drops:
    """Read them now. client_dropped: what the UDP client's own socket says (SO_RXQ_OVFL)."""
    counts = {"the client's socket": client_dropped, "the kernel's backlog": softnet_dropped(cluster.client)}
    for host in (cluster.client, *cluster.servers.values()):
        for name, count in udp_errors(host.read("/proc/thread-self/net/snmp")).items():
            counts[f"{host.name}'s UDP {name}"] = count
    return Drops(counts=counts)


def udp_errors(snmp: str) -> dict[str, int]:
    """RcvbufErrors and SndbufErrors from the text of /proc/net/snmp: two lines `Udp:`, names and values."""
    names, values = (line.split()[1:] for line in snmp.splitlines() if line.startswith("Udp:"))
    fields = dict(zip(names, map(int, values), strict=True))
    return {name: fields[name] for name in ("RcvbufErrors", "SndbufErrors")}


def softnet_dropped(host: Host) -> int:
    """Packets dropped because a processor's backlog was full: one for the whole kernel, second column, hexadecimal."""
    return sum(int(line.split()[1], 16) for line in host.read("/proc/thread-self/net/softnet_stat").splitlines())


def stall_allowed(limits: Iterable[Limit], advert: float) -> float:
    """Seconds the machine may stand still from just before a drill's fault until all is well. Where only losses are
    counted, one advertisement's worth: nobody's patience is shorter than three. advert: the interval, seconds."""
    timed = any(limit.unit == "ms" for limit in limits)
    return STALL if timed else min(STALL_UNTIMED, max(STALL, advert))


def doubts_about_pace(critical: Pace, allowed: float, whole: Pace) -> list[str]:
    """Did the 1 kHz client keep it? critical: while it counts; allowed: how long it may have stood still then, seconds.
    whole: from the quiet second to the end."""
    doubts = []
    for pace, most in ((critical, allowed), (whole, STALL_UNTIMED)):
        if pace.worst > most:
            doubts.append(f"the machine stood still for {pace.worst * 1000:.0f} ms (at most {most * 1000:.0f})")
            break
    if whole.p99 > LATE_P99:
        doubts.append(f"requests were {whole.p99 * 1000:.1f} ms late, p99 (at most {LATE_P99 * 1000:.0f})")
    if whole.skipped > SKIPPED * (whole.met + whole.skipped):
        doubts.append(f"{whole.skipped} of {whole.met + whole.skipped} requests were not sent: no time")
    return doubts


def doubts_about_drops(grown: Mapping[str, int]) -> list[str]:
    return [f"{count} packets lost in {where}" for where, count in grown.items()]


def doubts_before(answered: Answered, shorts: Shorts, downloads: Downloads, streams: int) -> list[str]:
    """The same traffic without a fault, right before the drill: it must lose nothing."""
    doubts = []
    if not answered.sent:
        doubts.append("no request was sent before the drill")
    if answered.lost:
        doubts.append(f"{answered.lost} of {answered.sent} requests were lost before the drill")
    if shorts.failed:
        doubts.append(f"{len(shorts.failed)} short TCP requests failed before the drill")
    if downloads.kept < streams:
        doubts.append(f"only {downloads.kept} of {streams} downloads ran before the drill")
    return doubts
