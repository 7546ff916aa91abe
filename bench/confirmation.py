"""From a takeover to its confirmation: how long until the neighbour in view follows, as the new active director has it.

Two directors and a gateway that knows the VIPs, IPv4 and IPv6: the cluster of `haman lab confirmed-takeover`. The cable
of the active director is cut, and haman's own figure is read: from the election's decision to the gateway's last
answer. First the gateway is a plain one, then one that ignores announcements to everybody, so that only asking makes
it follow.

How to read it: the addresses are put on the NIC in it, announced, and every question is answered once; all of that
by one shared processor. The verdict itself comes at least 0.3 s later, since a second owner has two chances to answer.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench import session
from bench.figures import Measurement, Row, median
from haman.errors import LabError
from haman.lab.hosts import Network
from haman.lab.stories import confirmed_takeover as story
from haman.lab.stories.directors import Directors
from haman.lab.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

CUTS: Final = 20
EXAMPLE: Final = "confirmed-takeover.yaml"
WITHIN: Final = 60.0


def measure(work: Path) -> Measurement:
    rows = []
    for what, ignores in (("a gateway that listens", 0), ("one that ignores announcements", 1)):
        with Network() as network:
            seconds = _observe(network, work, ignores)
        session.say(f"{what}: " + ", ".join(f"{each * 1000:.1f} ms" for each in seconds))
        rows.append(Row(what=what, unit="s", cells={"haman": median(seconds)}))
    return Measurement(
        name="confirmation",
        title="From a takeover to its confirmation",
        statistic=f"median of {CUTS} (smallest - largest)",
        rows=tuple(rows),
        conditions=session.versions(),
    )


def _observe(network: Network, work: Path, ignores: int) -> list[float]:
    """Errors: LabError."""
    hosts, gateway = story.built(network)
    pair = Directors(EXAMPLE, hosts, work)
    pair.start()
    for setting in story.IGNORED:
        gateway.sysctl(setting, ignores)
    found = []
    for _ in range(CUTS):
        old = pair.active()
        new = next(name for name in pair.nodes if name != old)
        story.meet(pair, new, gateway)
        pair.hosts[old].cut("eth0")
        outcome = until(f"{new} to say what came of it", partial(_said, pair, new), WITHIN)
        if outcome["verdict"] != "confirmed":
            raise LabError(f"{new}: {outcome}")
        found.append(float(outcome["seconds"]))
        pair.hosts[old].heal("eth0")
        until(f"{old} to be standby", partial(_stands_by, pair, old), WITHIN)
    return found


def _said(pair: Directors, name: str) -> dict[str, Any]:
    return story.takeover(pair, name) if pair.role(name) == "active" else {}


def _stands_by(pair: Directors, name: str) -> bool:
    return pair.role(name) == "standby"


if __name__ == "__main__":
    sys.exit(session.main("confirmation", measure, timeout=900))
