"""By which MAC addresses the other directors' frames are known: what the operator wrote, else what they told.

What was told is kept in a file that lives as long as the machine runs: a director that starts beside a dead peer
balances at once, and not only after that peer has come back. It is never forgotten, since an address that nobody uses
any more costs nothing.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from haman import files, paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.model.cluster import Cluster


class Frames:
    def __init__(self) -> None:
        self._told = _load()

    def take(self, director: str, macs: Sequence[str]) -> bool:
        """What it tells of itself. Returns whether it is new. Nothing is no news: an older haman does not tell."""
        told = tuple(sorted(macs))
        if not told or self._told.get(director) == told:
            return False
        self._told[director] = told
        with contextlib.suppress(OSError):  # then a restart waits until it is told again
            files.replace(paths.known_frames(), json.dumps(self._told))
        return True

    def known(self, cluster: Cluster) -> dict[str, tuple[str, ...]]:
        """By director of this cluster; who is not known is not named."""
        found = {name: director.macs or self._told.get(name, ()) for name, director in cluster.directors.items()}
        return {name: macs for name, macs in found.items() if macs}


def _load() -> dict[str, tuple[str, ...]]:
    try:
        told = json.loads(paths.known_frames().read_text())
        return {str(name): tuple(map(str, macs)) for name, macs in told.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
