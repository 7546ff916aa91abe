"""A story from its first line to a verdict. Runs inside the machine, as root."""

from __future__ import annotations

import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from haman.errors import HamanError
from haman.lab.hosts import Network
from haman.lab.results import Result, Verdict
from haman.lab.stories.pulse import STARVED, Pulse
from haman.lab.stories.scene import Over, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.stories.table import Performance

ATTEMPTS = 3
"""How often a story is played before "not measured" is the answer."""


def perform(performance: Performance, work: Path, tell: Callable[[str], None], attempts: int = ATTEMPTS) -> Result:
    """Play it, again while the instruments were not good enough. tell: gets what happens, in words."""
    for attempt in range(1, attempts + 1):
        result = _once(performance, work, tell, attempt)
        if result.verdict is not Verdict.NOT_MEASURED:
            break
    return result


def _once(performance: Performance, work: Path, tell: Callable[[str], None], attempt: int) -> Result:
    story = performance.story()
    broken: list[str] = []
    began = time.monotonic()
    # haman's checks and hooks run as other users, and read what lies here.
    folder = Path(tempfile.mkdtemp(prefix=f"{story.name}-", dir=work))
    folder.chmod(0o755)
    with Network() as network, Pulse() as pulse:
        scene = Scene(network, folder, lambda words: tell(f"{story.name}: {words}"), performance.plant)
        try:
            story.play(scene)
        except Over:
            pass
        except HamanError as error:
            broken.append(str(error))
            scene.show_logs()
        except Exception:
            broken.append(traceback.format_exc())
            scene.show_logs()
    missed = broken or not all(limit.held for limit in scene.limits)
    if missed and not performance.plant:
        if stalls := scene.stalls():
            scene.doubt(f"{stalls} times a director found that the machine had stood still, and roles moved")
        if pulse.latest > STARVED:
            scene.doubt(f"programs waited {pulse.latest:.1f} s for the processor (at most {STARVED:g})")
        if scene.doubts:
            scene.doubts.extend(broken)
            broken = []
    return Result(
        drill=story.name,
        title=story.title,
        advert_interval=0.0,
        limits=tuple(scene.limits),
        examples=story.examples,
        notes=tuple(scene.notes),
        why=tuple(broken or scene.doubts),
        broken=bool(broken),
        plant=performance.plant,
        attempts=attempt,
        seconds=round(time.monotonic() - began, 1),
    )
