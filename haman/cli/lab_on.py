"""`haman lab on`: a program on a host of the cluster that `haman lab up` keeps; without one, a shell."""

from __future__ import annotations

import argparse

SHELL = ("bash",)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 the program's own, which is also any other number, 1 no cluster is kept here, or the program"
        " cannot be started there."
    )
    parser.add_argument("host", metavar="HOST", help="one of `haman lab status`")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="with its arguments (default: a shell)"
    )


def run(options: argparse.Namespace) -> int:
    """The program's exit status. Raises LabError."""
    from haman.lab.box import terminal

    command = options.command[options.command[:1] == ["--"] :]
    return terminal.run(options.host, command or SHELL)
