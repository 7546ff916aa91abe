"""What the keeper's machine is told: one file in the working folder, written outside, read inside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "order.json"


@dataclass(frozen=True, slots=True)
class Order:
    """file: where the cluster's file lies outside, for people. text: its content. serve: as given to `up`. writable:
    folders. kernel, why, path (empty: the host's own) and modules: as for machine.Kernel. since: time.time()."""

    file: str
    text: str
    serve: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    kernel: str = ""
    why: str = ""
    path: str = ""
    modules: str = ""
    since: float = 0.0

    def write(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(asdict(self)))


def read(folder: Path) -> Order:
    """Errors: OSError, ValueError, TypeError where there is none that can be read."""
    plain = json.loads((folder / NAME).read_text())
    return Order(**{**plain, "serve": tuple(plain["serve"]), "writable": tuple(plain["writable"])})
