"""`haman simulate`: clusters on paper, everything that can go wrong, and invariants that hold all the same."""

from __future__ import annotations

import argparse
import json
import math
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from haman.errors import HamanError

if TYPE_CHECKING:
    from haman.simulation.play import Played
    from haman.simulation.runs import Report
    from haman.simulation.story import Story

FINE, VIOLATED = 0, 3
LAST = 40
"""Lines of the trace that are shown of a run in which an invariant was violated."""

SHOWN_EVERY = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 every invariant held, 1 it failed, 2 the story cannot be read, 3 an invariant was violated."
    )
    parser.add_argument(
        "--seed", type=int, help="of the first run; the same seed is the same run (default: a fresh one)"
    )
    parser.add_argument("--runs", type=_several, metavar="N", help="so many runs, of as many seeds (default: 1)")
    parser.add_argument("--for", dest="seconds", type=_seconds, metavar="SECONDS", help="runs for so long")
    parser.add_argument("--failovers", type=_several, metavar="N", help="runs until there were so many failovers")
    parser.add_argument("--keep-going", action="store_true", help="a violation is told, and does not end the runs")
    parser.add_argument("--jobs", type=_several, default=1, metavar="N", help="processes (default: %(default)s)")
    parser.add_argument("--story", type=Path, metavar="FILE", help="play this story instead")
    parser.add_argument("--print-story", action="store_true", help="the seed's story as text, which --story reads")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def _several(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: write 1 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time: write a number of seconds")
    return seconds


def run(options: argparse.Namespace) -> int:
    """See the epilog for the exit codes."""
    from haman.simulation import fate, runs
    from haman.simulation.play import play
    from haman.simulation.story import BadStory, parse, text

    if options.story is not None:
        try:
            story = parse(options.story.read_text(encoding="utf-8"))
            return _one(story, play(story), options.json)
        except (BadStory, UnicodeDecodeError) as error:
            print(f"{options.story}: {error if isinstance(error, BadStory) else 'it is no text'}", file=sys.stderr)
            return 2
        except OSError as error:
            raise HamanError(f"{options.story}: {error.strerror}") from error
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    if options.print_story:
        print(text(fate.story(seed)), end="")
        return FINE
    if (options.runs, options.seconds, options.failovers) == (None, None, None):
        story = fate.story(seed)
        return _one(story, play(story), options.json)
    if not options.json:
        print(f"seeds from {seed} on")
    report = runs.run(
        seed,
        options.runs,
        options.seconds,
        options.failovers,
        options.jobs,
        _Progress() if options.seconds or options.failovers else _nothing,
        keep_going=options.keep_going,
    )
    return _many(report, options.json)


def _one(story: Story, played: Played, as_json: bool) -> int:
    if as_json:
        outcome = {
            "seed": story.seed,
            "failovers": played.failovers,
            "simulated_seconds": played.seconds,
            "violation": played.violation,
            "trace": list(played.trace),
        }
        print(json.dumps(outcome, indent=2))
    else:
        print("\n".join(played.trace))
        print(f"seed {story.seed}: {played.failovers} failovers in {played.seconds:.1f} s on paper")
        print(played.violation or "every invariant held")
    return FINE if played.violation is None else VIOLATED


def _many(report: Report, as_json: bool) -> int:
    from haman.simulation.runs import play_seed

    if as_json:
        outcome = {
            "runs": report.runs,
            "failovers": report.failovers,
            "seconds": report.seconds,
            "simulated_seconds": report.simulated,
            "violations": [{"seed": seed, "words": words} for seed, words in report.violated],
        }
        print(json.dumps(outcome, indent=2))
    else:
        print(report)
        for seed, words in report.violated:
            print(f"\nseed {seed}: {words}", *play_seed(seed).trace[-LAST:], sep="\n")
            print(f"all of it: haman simulate --seed {seed}; its story as text: the same with --print-story")
    return VIOLATED if report.violated else FINE


class _Progress:
    """For who waits: how far it is every few seconds, and each violation at once."""

    def __init__(self) -> None:
        self._shown = time.monotonic()
        self._told = 0

    def __call__(self, report: Report) -> None:
        for seed, words in report.violated[self._told :]:
            print(f"seed {seed}: {words}", file=sys.stderr, flush=True)
        self._told = len(report.violated)
        if time.monotonic() - self._shown >= SHOWN_EVERY:
            self._shown = time.monotonic()
            print(report, file=sys.stderr, flush=True)


def _nothing(report: Report) -> None:
    pass
