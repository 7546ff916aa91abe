"""`haman lab`: a whole cluster on a kernel with IPVS, on this machine, and what happens to it when things fail."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

TIMEOUT = 3600.0
"""Seconds after which a session counts as hung."""

EVERYTHING = ("failover", "all")
"""Names that stand for all drills."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 all limits held, 1 a drill broke, 2 unknown name, 3 a limit was missed or not measured."
    )
    parser.add_argument("drills", nargs="*", metavar="NAME", help="a drill (see --list); `failover` is all of them")
    parser.add_argument("--list", action="store_true", help="the drills and the faults that can be planted")
    parser.add_argument("--advert", metavar="INTERVAL", help="with this advertisement interval only: 1s, 100ms, 10ms")
    parser.add_argument(
        "--plant", default="", metavar="FAULT", help="plant a fault; the drills that notice it must miss"
    )
    parser.add_argument(
        "--software", default="haman", choices=["haman", "keepalived"], help="what runs on the directors"
    )
    parser.add_argument("--keep", action="store_true", help="keep the logs and records, and say where")
    parser.add_argument("--json", action="store_true", help="results as one JSON object")


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes."""
    from haman.errors import LabError
    from haman.lab import session

    if options.list or not options.drills:
        return _list(options.json)
    names = [name for name in options.drills if name not in EVERYTHING]
    try:
        session.tasks(names, options.advert, options.plant)
    except LabError as error:
        print(f"haman lab: {error}", file=sys.stderr)
        return 2
    return _run(names, options)


def _list(as_json: bool) -> int:
    from haman.lab.drills.table import TABLE
    from haman.lab.plants import PLANTS

    drills = [
        {
            "name": entry.drill.name,
            "title": entry.drill.title,
            "adverts": entry.adverts,
            "planted faults": entry.drill.plants,
        }
        for entry in TABLE
    ]
    if as_json:
        print(json.dumps({"drills": drills, "planted faults": {p.name: p.words for p in PLANTS.values()}}, indent=2))
        return 0
    print("drills:")
    for drill in drills:
        print(f"  {drill['name']:<18}{drill['title']:<42}{', '.join(drill['planted faults'])}")
    print("faults that can be planted:")
    for plant in PLANTS.values():
        print(f"  {plant.name:<18}{plant.words}")
    return 0


def _run(names: list[str], options: argparse.Namespace) -> int:
    from haman.lab import report
    from haman.lab.machine import Machine
    from haman.lab.prepare import prepare
    from haman.lab.results import exit_code
    from haman.lab.show import Show

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    kernel = prepare(say, full=bool(options.plant))
    say(f"kernel: {kernel.name} ({kernel.why})")
    command = [sys.executable, "-m", "haman.lab.session", "--plant", options.plant, "--software", options.software]
    command += [word for name in names for word in ("--drill", name)]
    command += ["--advert", options.advert] if options.advert else []
    show = Show(quiet=options.json)
    with ExitStack() as stack:
        if options.keep:
            folder = tempfile.mkdtemp(prefix="haman-lab-")
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="haman-lab-"))
        status = Machine(kernel).run(command, work=Path(folder), timeout=TIMEOUT, output=_events(show.event))
    if options.json:
        print(report.as_json(show.results, kernel=kernel.name, software=options.software))
    else:
        show.end()
    if options.keep:
        say(f"logs and records: {folder}")
    return 1 if status else exit_code(show.results)


def _events(handle: Callable[[dict[str, Any]], None]) -> Callable[[str], None]:
    """Takes the machine's output as it comes; lines that are no events are shown as errors."""
    rest = ""

    def take(text: str) -> None:
        nonlocal rest
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                print(line, file=sys.stderr, flush=True)
                continue
            handle(event)

    return take
