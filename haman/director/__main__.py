"""`python -m haman.director`: how the elector starts its child. Not for people: `haman run` starts both."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
from pathlib import Path

from haman.director import daemon
from haman.observe import journal


def main() -> int:
    parser = argparse.ArgumentParser(prog="haman.director", description="Process 2 of haman; `haman run` starts it.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--node", help="which director this is")
    parser.add_argument("--link-fd", type=int, required=True, help="one end of a socket pair to the elector")
    options = parser.parse_args()
    with contextlib.suppress(OSError):
        # Whatever the elector's class is: neither we nor the hooks we start may starve the election.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with contextlib.suppress(OSError, ValueError):
        # Short of memory, the kernel takes us, or a hook, before the elector: a director that is killed loses nothing.
        score = Path("/proc/self/oom_score_adj")
        if int(score.read_text()) < 0:
            score.write_text("0")
    try:
        link = socket.socket(fileno=options.link_fd)
    except OSError as error:
        parser.error(f"--link-fd {options.link_fd}: {error.strerror}")
    with link:
        code = daemon.run(options.config, options.node, link)
    journal.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
