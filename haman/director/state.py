"""Which state of the file is running, and what became of the last attempt to take another. Values for everybody who
shows them: status, metrics, systemd, the answer of `haman reload`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """file: its name. digest, modified: of the state that is running (`loading.Loaded`). loaded_at, attempted_at: wall
    clock. mistakes: of the last attempt, each with its place; empty when it succeeded. warnings: what the running one
    could not get, such as an address to listen on."""

    file: str
    generation: int
    digest: str
    modified: float
    loaded_at: float
    attempted_at: float
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """The last attempt succeeded."""
        return not self.mistakes

    def problems(self) -> list[str]:
        """For `haman status`: what is not as the operator wants it."""
        if not self.mistakes:
            return list(self.warnings)
        more = f" (and {len(self.mistakes) - 1} more)" if len(self.mistakes) > 1 else ""
        return [
            f"configuration: the last reload was refused, generation {self.generation} goes on: "
            f"{self.mistakes[0]}{more}",
            *self.warnings,
        ]

    def plain(self, modified_now: float | None) -> dict[str, Any]:
        """As JSON. modified_now: the file's time stamp at present, None if there is no file."""
        return {
            "file": self.file,
            "generation": self.generation,
            "digest": self.digest,
            "modified": self.modified,
            "loaded": self.loaded_at,
            "changed_since": modified_now != self.modified,
            "last_reload": {"at": self.attempted_at, "ok": self.ok, "mistakes": list(self.mistakes)},
            "warnings": list(self.warnings),
        }
