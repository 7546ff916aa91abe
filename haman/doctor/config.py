"""The file, and what of it is running: mistakes, a file that changed, directors that run different ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.director import startable
from haman.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.doctor.scene import Scene

SKEW = "mismatch_"


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.mistakes:
        more = f" (and {len(scene.mistakes) - 1} more)" if len(scene.mistakes) > 1 else ""
        yield Finding(
            what=f"the configuration {scene.file} cannot be used here",
            evidence=f"{scene.mistakes[0]}{more}",
            consequence="haman does not start with it; one that runs goes on with what it has, and a reload is refused",
            fix=f"haman check {scene.file} shows every mistake; correct them",
        )
    if scene.cluster is not None and scene.node is not None and scene.node in scene.cluster.directors:
        for words in startable.findings(scene.cluster, scene.node):
            yield Finding(
                what="a program of the configuration cannot be started here",
                evidence=words,
                consequence="a check counts its servers as failed, a tracker is down; a hook tells nobody anything",
                fix="install it, make it executable for its user, or correct the configuration",
            )
    if scene.status is None and scene.parts and scene.node is None:
        return  # a real server needs none
    if scene.status is None:
        yield Finding(
            what="no haman answers here",
            evidence=scene.silence.splitlines()[0] if scene.silence else "nothing at the control socket",
            consequence="this node takes no part in the election; what only a running haman knows was not examined",
            fix="systemctl start haman, or haman run; as another user than root: join the group of the control socket",
            problem=False,
        )
        return
    state = scene.status["config"]
    if not state["last_reload"]["ok"]:
        yield Finding(
            what="the last reload was refused",
            evidence=state["last_reload"]["mistakes"][0],
            consequence=f"an earlier state of the file is running (generation {state['generation']})",
            fix="correct the file, then haman reload",
        )
    elif state["changed_since"]:
        yield Finding(
            what="what is running is not what stands in the file",
            evidence=f"{state['file']} was changed after it was read (running: digest {state['digest']})",
            consequence="the next restart brings a change that nobody expects then",
            fix="haman check, then haman reload",
        )
    for words in state["warnings"]:
        yield Finding(
            what="a part of the configuration could not be taken up",
            evidence=words,
            consequence="what was there before stays in its place",
            fix="see the log for what is in the way; it is tried again",
        )
    for transition in scene.status["transitions"]:
        if transition["cause"].startswith(SKEW):
            yield Finding(
                what=f"another director has other settings for router {transition['who']}",
                evidence=transition["why"],
                consequence="the directors do not agree: a VIP may be nowhere, or failover be slower than it should",
                fix="put the same file on all directors and reload each; compare the digests in haman status --json",
            )
            break
