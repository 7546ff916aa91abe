"""What a flood of forged advertisements costs: the processor time of the process that elects, with and without keys.

One host floods a director with 10,000 advertisements a second of a better router. Without keys haman and keepalived
each do what VRRP says, and become standby. With keys haman refuses them: once unsigned, and once with a signature that
is made up for the right time, so that it has to be computed each time: the dearest packet there is.

Figures are processor seconds per second of flood (0.3: 30 percent of one processor). How to read it: packets are
taken one by one in Python, so haman's are dearer than keepalived's; what matters is that a refused one is not much
dearer than one that is believed, and that there is processor left. The row "a packet" has the same by packet.
"""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING, Final

from bench import clusters, session
from bench.adverts import Ear
from bench.figures import Measurement, Row, median
from bench.processor import cpu_seconds
from bench.programs import Haman, Keepalived, Program, pid_of, running
from haman.errors import LabError
from haman.lab.hosts import Network

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host
    from haman.model.cluster import Cluster

RATE: Final = 10_000
ROUNDS: Final = 3
OVER: Final = 5.0
"""Seconds of each flood."""

ADVERT = "1s"
SECONDS: Final = "processors"
KINDS: Final = {"without keys": (False, False), "with keys, unsigned": (True, False), "with keys, forged": (True, True)}
"""By what the row is called: whether the director has keys, and whether the flood is signed."""


def measure(work: Path) -> Measurement:
    programs: list[Program] = [Haman(), Keepalived()]
    taken: dict[tuple[str, str], list[float]] = {}
    each: dict[tuple[str, str], list[float]] = {}
    with Network() as network:
        lan = network.segment("lan")
        director = network.host("d1", {"eth0": (lan, f"{clusters.DIRECTORS['d1']}/24")})
        flooder = network.host("flooder", {"eth0": (lan, "10.0.0.66/24")})
        plain, keyed = work / "plain.yaml", work / "keyed.yaml"
        model = clusters.write(plain, advert=ADVERT)
        secret = work / "key"
        secret.write_text("hex:" + "5a" * 32)
        secret.chmod(0o600)
        keyed.write_text(plain.read_text() + f"authentication: {{keys: [{{id: 1, file: {secret}}}]}}\n")
        for number in range(ROUNDS):
            for kind, (keys, signed) in KINDS.items():
                for program in programs if not keys else programs[:1]:
                    file = keyed if keys else plain
                    seconds, packets = _flooded(program, director, flooder, model, file, signed=signed)
                    taken.setdefault((kind, program.name), []).append(seconds / OVER)
                    each.setdefault((kind, program.name), []).append(seconds / packets)
                    rate = f"{packets / OVER:,.0f} a second"
                    session.say(f"{kind}, round {number + 1}, {program.name}: {seconds / OVER:.3f} at {rate}")
    rows = []
    for found, what, unit in ((taken, "a flood", SECONDS), (each, "a packet", "s")):
        for kind in KINDS:
            cells = {
                program.name: median(found[kind, program.name]) for program in programs if (kind, program.name) in found
            }
            rows.append(Row(what=f"{what}, {kind}", unit=unit, cells=cells))
    return Measurement(
        name=f"flood-{session.inside()}",
        title=f"A flood of {RATE:,} forged advertisements a second",
        statistic=f"median of {ROUNDS} floods of {OVER:g} s (smallest - largest)",
        rows=tuple(rows),
        conditions={**session.versions("keepalived"), "processors": str(os.cpu_count())},
    )


def _flooded(
    program: Program, director: Host, flooder: Host, model: Cluster, file: Path, *, signed: bool
) -> tuple[float, int]:
    """Processor seconds that the elector took, and packets that were sent. Errors: LabError."""
    log = file.with_name("flood.log")
    log.unlink(missing_ok=True)
    words = ["better", "--interval", "1", "--rate", str(RATE), "--seconds", str(OVER)]
    with Ear(flooder) as ear, running(program, director, model, file) as process:
        ear.first_advert(clusters.DIRECTORS["d1"], within=60)
        elector = pid_of(program, process, "elector")
        time.sleep(2)  # what a program does once, when it starts, is measured elsewhere
        argv = [sys.executable, "-m", "haman.lab.traffic.attacker", *words, *(["--signed"] if signed else [])]
        before = cpu_seconds(elector)
        if flooder.spawn(*argv, log=log).wait(OVER + 60):
            raise LabError(f"the flood ended early: {log.read_text()}")
        time.sleep(0.5)  # what still waits in the socket
        seconds = cpu_seconds(elector) - before
    sent = re.search(r"sent (\d+)", log.read_text())
    if sent is None:
        raise LabError(f"the flood did not say how many it sent: {log.read_text()}")
    return seconds, int(sent[1])


if __name__ == "__main__":
    sys.exit(session.main("flood", measure, timeout=900, own_kernel=True))
