"""Verbs, one file each. A verb's module is imported only when it is called, so `haman run` stays small.

Exit codes, the same for every verb: 0 fine, 1 the program failed, 2 the input is wrong, 3 the answer is "no".
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from typing import TYPE_CHECKING

from haman import __version__
from haman.errors import ConfigError, HamanError, NodeUnknown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

VERBS = {
    "run": "be a director: elect, take over, balance, check",
    "check": "read the configuration and list every mistake",
    "schema": "print the configuration's JSON Schema",
    "status": "what this director does now",
    "plan": "what a configuration would change in this kernel, and whom that would hit",
    "why": "why an object is as it is, in sentences",
    "history": "what happened here, and why",
    "events": "what happens here, as it happens",
    "reload": "have the running haman read its configuration again",
    "site": "which site serves a service: planned moves to a backup and back",
    "switchover": "give a VIP to another director, without losing a packet",
    "maintenance": "take no VIP here until it is over",
    "doctor": "what may be wrong with this director or real server, and what to do",
    "realserver": "take the packets that directors send this real server",
    "release": "take this node's VIPs off the NICs when haman does not run",
    "lab": "run a cluster on a kernel with IPVS, here",
    "lab up": "keep a cluster running here, for a service that is being developed",
    "lab down": "end it, and leave nothing of it",
    "lab status": "its hosts, what runs on them, what is lacking",
    "lab on": "run a program on one of its hosts, or a shell",
    "lab logs": "what its programs have written",
    "lab kill": "a host dies: its cables are out, nothing runs on it any more",
    "lab halt": "a host's programs end in good order",
    "lab start": "a host comes back: cables in, its programs run",
    "lab cut": "a host's cables are pulled",
    "lab heal": "a host's cables are in again",
    "simulate": "play clusters on paper, with all that can go wrong, and check what must hold",
}
"""Each verb is a module of this package with `configure(parser)` and `run(arguments) -> exit code`; of two
words, joined by an underscore, unless it shares a module."""

SHARED = {f"lab {verb}": "lab_do" for verb in ("kill", "halt", "start", "cut", "heal")}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, import the one verb, run it. Returns the exit code."""
    arguments = joined(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    parser, _ = parsers({chosen} & VERBS.keys())
    options = parser.parse_args(arguments)
    try:
        code = int(options.run(options))
        if sys.stdout is not None:  # it may be closed from the beginning
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        _discard()  # who read our output (`head`, a pager) has gone
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"haman {options.verb}: {error.strerror}", file=sys.stderr)
        _discard()
        return 1
    except (ConfigError, NodeUnknown) as error:
        print(error, file=sys.stderr)
        return 2
    except HamanError as error:
        print(f"haman {options.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _discard() -> None:
    """What is still buffered must not fail once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, a verb of two words as one of them."""
    two = " ".join(arguments[:2])
    return [two, *arguments[2:]] if len(arguments) > 1 and two in VERBS else list(arguments)


def parsers(imported: Collection[str | None]) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The command line's parser, and those of its verbs by name. imported: the verbs that know their options, at the
    price of importing them."""
    parser = argparse.ArgumentParser(
        prog="haman",
        description="Keeps a service's virtual IP alive.",
        epilog="Exit codes: 0 fine, 1 the program failed, 2 the input is wrong, 3 the answer is no.",
    )
    parser.add_argument("--version", action="version", version=f"haman {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, help_text in VERBS.items():
        verb = verbs.add_parser(name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.")
        if name in imported:
            module = importlib.import_module(f"haman.cli.{SHARED.get(name) or name.replace(' ', '_')}")
            module.configure(verb)
            verb.set_defaults(run=module.run)
    return parser, dict(verbs.choices)
