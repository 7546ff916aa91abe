"""`python -m haman.lab`: the laboratory's own tools, for developers; operators have `haman lab`.

prepare [--full]      install packages, find or build the kernel, say which
run [...] COMMAND     run a command as root in the machine, over the host's files
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from haman.errors import LabError
from haman.lab import kernels
from haman.lab.machine import Machine
from haman.lab.prepare import prepare


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m haman.lab", description="The laboratory's tools for developers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    preparing = verbs.add_parser("prepare", help="install packages, find or build the kernel, say which")
    running = verbs.add_parser("run", help="run a command as root in the machine, over the host's files")
    for verb in (preparing, running):
        verb.add_argument("--full", action="store_true", help="not Debian's ready-made kernel, it has no nftables")
    running.add_argument("--work", type=Path, help="a folder that is writable inside")
    running.add_argument("--timeout", type=float, default=3600.0, help="seconds")
    running.add_argument("--memory", type=int, default=1536, help="MiB, taken as it is used")
    running.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    try:
        if options.verb == "prepare":
            kernel = prepare(full=options.full)
            kernels.tell(f"kernel: {kernel.name} ({kernel.why})")
            return 0
        machine = Machine(kernels.find(full=options.full), options.memory)
        command = options.command[options.command[:1] == ["--"] :]
        return machine.run(command, work=options.work, timeout=options.timeout)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
