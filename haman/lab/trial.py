"""A kernel proves itself before a cluster is built on it: it boots, it has what a cluster takes, it keeps time.

Run as a module inside the machine this is the trial itself, outside it starts one.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from haman.errors import LabError
from haman.lab.hosts import Network
from haman.lab.machine import Machine

if TYPE_CHECKING:
    from haman.lab.machine import Kernel

TABLE: Final = "/proc/thread-self/net/ip_vs"

SLOWEST_MILLISECOND: Final = 0.0025
"""Seconds that a sleep of 1 ms may take: a client of the laboratory sends at 1 kHz, and catches up."""


def prove(kernel: Kernel) -> None:
    """Errors: LabError saying what the kernel lacks, or with its last words if it died."""
    said: list[str] = []
    code = Machine(kernel, memory=512).run([sys.executable, "-m", "haman.lab.trial"], timeout=60, output=said.append)
    if code:
        raise LabError("".join(said).strip() or f"the trial ended with status {code}")


def millisecond() -> float:
    """How long a sleep of 1 ms takes here, seconds: what one in ten of 200 stays below.

    A busy host makes some of them late, a coarse clock all of them.
    """
    taken = []
    for _ in range(200):
        begun = time.monotonic()
        time.sleep(0.001)
        taken.append(time.monotonic() - begun)
    return statistics.quantiles(taken, n=10)[0]


def main() -> int:
    """The trial itself, inside. Returns the exit status; what is wrong goes to standard output."""
    try:
        with Network() as network:
            lan = network.segment("lan")
            host = network.host("host", {"eth0": (lan, "10.0.0.1/24")})
            host.read(TABLE)
    except LabError as error:
        print(f"no cluster can be built on this kernel: {error}")
        return 1
    if (pace := millisecond()) > SLOWEST_MILLISECOND:
        print(f"a sleep of 1 ms takes {pace * 1000:.1f} ms here: too coarse for a 1 kHz client")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
