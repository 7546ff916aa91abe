"""Stories as text: a cluster, and what befalls it. What a random run was is a story too, so it can be kept and edited.

    # Why this story is told.
    directors lb1 150, lb2 100
    interval 0.1
    preempt after 1

    at 2 kill active
    at 3.5 start lb1
    at 8 end

Settings, one a line, all but the first optional: directors, shape (one, dual, group, two), interval, preempt (`on`,
`off`, `after SECONDS`), arbiter (`on`, `strict`: the machine `gateway`, which can be cut off too), version, transport
(multicast, unicast), standby (loopback, nowhere), linger, drift (`lb1 0.001, lb2 -0.001`), seed (of the network's
dice). Directors start when they are told to; `start` alone means all. A deed's first word is one of `deeds.DEEDS`.
`active` and `standby` stand for whoever that is at the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.errors import HamanError
from haman.simulation.cluster import SHAPES, Setup

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACE = "---"
"""What comes below is the trace of the story, for people."""


class BadStory(HamanError):
    """A story that cannot be read; the text names the line."""


@dataclass(frozen=True, slots=True)
class Deed:
    at: float
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"at {self.at:.10g} {' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Story:
    setup: Setup
    deeds: tuple[Deed, ...]
    end: float
    seed: int = 0
    why: str = ""


def parse(text: str) -> Story:
    """Raises BadStory."""
    why: list[str] = []
    settings: dict[str, str] = {}
    deeds: list[Deed] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line == TRACE:
            break
        if line.startswith("#"):
            why.append(line.lstrip("# "))
            continue
        word, _, rest = line.partition(" ")
        try:
            if word == "at":
                moment, *words = rest.split()
                deeds.append(Deed(float(moment), tuple(words)))
            elif word:
                settings[word] = rest.strip()
        except ValueError as error:
            raise BadStory(f"line {number}: {error}") from error
    try:
        seed = int(settings.pop("seed", "0"))
        setup = _setup(settings)
    except (KeyError, ValueError) as error:
        raise BadStory(f"settings: {error}") from error
    if not deeds or deeds[-1].words != ("end",):
        raise BadStory("the last line must be: at SECONDS end")
    return Story(setup, tuple(deeds[:-1]), deeds[-1].at, seed, " ".join(why))


def text(story: Story) -> str:
    """What `parse` reads."""
    setup = story.setup
    lines = [f"# {story.why}"] if story.why else []
    lines.append("directors " + ", ".join(f"{name} {priority}" for name, priority in setup.priorities.items()))
    lines += [f"shape {setup.shape}", f"interval {setup.interval:.10g}"]
    if setup.preempt is not None:
        lines.append(f"preempt after {setup.preempt:g}" if setup.preempt else "preempt on")
    lines += [f"arbiter {'strict' if setup.strict else 'on'}"] if setup.arbiter else []
    lines += [f"version {setup.version}"] if setup.version != 3 else []
    lines += ["transport unicast"] if setup.unicast else []
    lines += ["standby nowhere"] if not setup.loopback else []
    lines += [f"linger {setup.linger:g}"] if setup.linger != 0.05 else []
    if setup.drift:
        lines.append("drift " + ", ".join(f"{name} {drift:g}" for name, drift in setup.drift.items()))
    lines += [f"seed {story.seed}", "", *map(str, story.deeds), f"at {story.end:.10g} end"]
    return "\n".join(lines) + "\n"


def _setup(settings: dict[str, str]) -> Setup:
    """Raises KeyError, ValueError."""
    listed = [pair.split() for pair in settings.pop("directors").split(",")]
    shape = _one_of(settings, "shape", SHAPES)
    arbiter = _one_of(settings, "arbiter", ("off", "on", "strict"))
    drift = [pair.split() for pair in settings.pop("drift", "").split(",") if pair]
    setup = Setup(
        priorities={name: int(priority) for name, priority in listed},
        shape=shape,
        interval=float(settings.pop("interval", "0.1")),
        preempt=_preempt(settings.pop("preempt", "off").split()),
        version=int(settings.pop("version", "3")),
        unicast=_one_of(settings, "transport", ("multicast", "unicast")) == "unicast",
        loopback=_one_of(settings, "standby", ("loopback", "nowhere")) == "loopback",
        linger=float(settings.pop("linger", "0.05")),
        arbiter=arbiter != "off",
        strict=arbiter == "strict",
        drift={name: float(share) for name, share in drift},
    )
    if settings:
        raise ValueError(f"unknown: {', '.join(settings)}")
    return setup


def _one_of(settings: dict[str, str], name: str, words: Sequence[str]) -> str:
    """The first is the default. Raises ValueError."""
    said = settings.pop(name, words[0])
    if said not in words:
        raise ValueError(f"{name} is one of {', '.join(words)}")
    return said


def _preempt(words: list[str]) -> float | None:
    """After how many seconds; None is never. Raises ValueError."""
    match words:
        case ["off"]:
            return None
        case ["on"]:
            return 0.0
        case ["after", seconds]:
            return float(seconds)
    raise ValueError("preempt is one of on, off, after SECONDS")
