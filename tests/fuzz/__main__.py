"""`python -m tests.fuzz --seconds N [--seed N] [--target NAME]`: a long run over all targets in turn, as `make fuzz`.

Prints the seed first and the count in between, and ends with 1 and the input at the first finding.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.run import Finding, fresh, fuzz
from tests.fuzz.targets import TARGETS

TURN = 2.0
"""Seconds for one target before the next has its turn."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=fresh())
    parser.add_argument("--target", choices=[target.name for target in TARGETS], action="append")
    chosen = parser.parse_args()
    targets = [target for target in TARGETS if not chosen.target or target.name in chosen.target]
    begin, turn = time.monotonic(), 0
    counts = {target.name: [0, 0] for target in targets}
    print(f"seed {chosen.seed}, {chosen.seconds:g} s", flush=True)
    while (left := begin + chosen.seconds - time.monotonic()) > 0:
        for target in targets:
            try:
                done = fuzz(target, chosen.seed + turn, inputs=1 << 62, seconds=min(TURN, left / len(targets)))
            except Finding as finding:
                print(finding, flush=True)
                return 1
            counts[target.name][0] += done.inputs
            counts[target.name][1] += done.taken
        turn += 1
        print(f"{time.monotonic() - begin:.0f} s: {sum(each[0] for each in counts.values())} inputs", flush=True)
    for name, (inputs, taken) in counts.items():
        print(f"{name}: {inputs} inputs, {taken} taken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
