"""`haman lab up`: keep a whole cluster running on this machine, for a service that is being developed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from haman.lab.box.order import Order

FINE, FAILED, WRONG, NO = 0, 1, 2, 3


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 clients are served, 1 no cluster came to be (nothing is left of it), 2 the file or an option is"
        " wrong, 3 it runs but does not serve (what it lacks is said), or a cluster was kept here already."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the cluster's file, as for `haman run`")
    parser.add_argument(
        "--serve",
        action="append",
        default=[],
        metavar="COMMAND",
        help="what the real servers run, from this directory on; HOST=COMMAND for one of them; no shell is involved,"
        " {host} and {address} become the host's. Default: a server that answers every port with the host's name",
    )
    parser.add_argument(
        "--writable",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="a folder that programs of the cluster may write to; all else of this machine's files is read-only",
    )
    parser.add_argument(
        "--wait", type=float, default=120.0, metavar="SECONDS", help="for clients to be served (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="the cluster's condition as one JSON object")


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes. Raises ConfigError, LabError."""
    from haman.errors import LabError
    from haman.lab.box import start
    from haman.lab.box.folder import Folder
    from haman.lab.prepare import prepare
    from haman.lab.signals import unwinding

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    try:
        order = _order(options)
    except LabError as error:
        print(f"haman lab up: {error}", file=sys.stderr)
        return WRONG
    folder = Folder()
    if not folder.claim():
        kept = start.kept(folder)
        print(f"haman lab up: a cluster of {kept.file} is kept here already; haman lab down ends it", file=sys.stderr)
        return NO
    with unwinding():
        try:
            kernel = prepare(say, full=True)
        except BaseException:
            start.down(folder)
            raise
        say(f"kernel: {kernel.name} ({kernel.why})")
        condition = start.up(order, kernel, folder, options.wait, say)
    if options.json:
        print(json.dumps(condition, indent=2))
    else:
        _show(condition)
    return FINE if condition["serves"] else NO


def _order(options: argparse.Namespace) -> Order:
    """Everything that can be known of it before there is a machine. Raises ConfigError, LabError."""
    from haman import config
    from haman.errors import LabError
    from haman.lab.box.duties import commands
    from haman.lab.box.layout import lay_out
    from haman.lab.box.order import Order

    source = config.source.read(options.file)
    commands(options.serve, lay_out(config.parse(source.text, source.name)))
    for folder in options.writable:
        if not folder.is_dir():
            raise LabError(f"--writable {folder}: there is no such folder")
    return Order(
        file=str(options.file.absolute()),
        text=source.text,
        serve=tuple(options.serve),
        writable=tuple(str(folder.resolve()) for folder in options.writable),
    )


def _show(condition: dict[str, Any]) -> None:
    from haman.cli.lab_status import show

    show(condition)
    if condition["serves"]:
        print("\nClients are served. haman lab on client COMMAND is one; haman lab down ends all of it.")
    else:
        print("\nIt runs, but does not serve. haman lab logs may tell why; haman lab down ends it.")
