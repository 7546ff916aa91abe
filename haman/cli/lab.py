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

    from haman.lab.stories.base import Story

TIMEOUT = 3600.0
"""Seconds after which a session counts as hung."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 all limits held, 1 a drill broke, 2 unknown name, 3 a limit was missed or not measured."
    )
    parser.add_argument(
        "drills", nargs="*", metavar="NAME", help="a drill or story (see --list); `failover`, `stories` or `all`"
    )
    parser.add_argument("--list", action="store_true", help="drills, stories, and faults that can be planted")
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
    from haman.lab import choice

    if options.list or not options.drills:
        return _list(options.json)
    try:
        chosen = choice.choose(options.drills)
        drills, stories = choice.work(chosen, options.advert, options.plant, options.software)
    except LabError as error:
        print(f"haman lab: {error}", file=sys.stderr)
        return 2
    names = list(dict.fromkeys(task.drill.name for task in drills))
    return _run(names, [performance.story for performance in stories], options)


def _list(as_json: bool) -> int:
    from haman.lab.drills.table import TABLE
    from haman.lab.plants import PLANTS
    from haman.lab.stories.table import STORIES

    drills = [
        {
            "name": entry.drill.name,
            "title": entry.drill.title,
            "adverts": entry.adverts,
            "planted faults": entry.drill.plants,
        }
        for entry in TABLE
    ]
    stories = [
        {"name": story.name, "title": story.title, "examples": story.examples, "planted faults": [*story.plants]}
        for story in STORIES
    ]
    faults = {plant.name: plant.words for plant in PLANTS.values()}
    faults |= {name: words for story in STORIES for name, words in story.plants.items()}
    if as_json:
        print(json.dumps({"drills": drills, "stories": stories, "planted faults": faults}, indent=2))
        return 0
    names = max(len(str(name)) for name in (*(each["name"] for each in (*drills, *stories)), *faults)) + 2
    titles = max(len(str(each["title"])) for each in (*drills, *stories)) + 2
    for heading, entries in (("drills (failover)", drills), ("stories", stories)):
        print(f"{heading}:")
        for each in entries:
            print(f"  {each['name']:<{names}}{each['title']:<{titles}}{', '.join(each['planted faults'])}")
    print("faults that can be planted:")
    for name, words in faults.items():
        print(f"  {name:<{names}}{words}")
    return 0


def _run(drills: list[str], stories: list[type[Story]], options: argparse.Namespace) -> int:
    from haman.lab import packages, report
    from haman.lab.machine import Machine
    from haman.lab.prepare import prepare
    from haman.lab.results import exit_code
    from haman.lab.show import Show

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    packages.install(packages.named(name for story in stories for name in story.packages), say)
    kernel = prepare(say, full=bool(options.plant or stories))
    say(f"kernel: {kernel.name} ({kernel.why})")
    command = [sys.executable, "-m", "haman.lab.session", "--plant", options.plant, "--software", options.software]
    command += [word for name in drills for word in ("--drill", name)]
    command += [word for story in stories for word in ("--story", story.name)]
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
