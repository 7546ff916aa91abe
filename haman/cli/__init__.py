"""Verbs, one file each. A verb's module is imported only when it is called, so `haman run` stays small.

Exit codes, the same for every verb: 0 fine, 1 the program failed, 2 the input is wrong, 3 the answer is "no".
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING

from haman import __version__
from haman.errors import ConfigError, HamanError, NodeUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "run": "be a director: elect, take over, balance, check",
    "check": "read the configuration and list every mistake",
    "schema": "print the configuration's JSON Schema",
    "status": "what this director does now",
    "lab": "run a cluster on a kernel with IPVS, here",
}
"""Each verb is a module of this package with `configure(parser)` and `run(arguments) -> exit code`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, import the one verb, run it. Returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="haman",
        description="Keeps a service's virtual IP alive.",
        epilog="Exit codes: 0 fine, 1 the program failed, 2 the input is wrong, 3 the answer is no.",
    )
    parser.add_argument("--version", action="version", version=f"haman {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, help_text in VERBS.items():
        verb = verbs.add_parser(name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.")
        if name == chosen:
            module = importlib.import_module(f"haman.cli.{name}")
            module.configure(verb)
            verb.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Who read our output (`head`, a pager) has gone. What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ConfigError, NodeUnknown) as error:
        print(error, file=sys.stderr)
        return 2
    except HamanError as error:
        print(f"haman {options.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
