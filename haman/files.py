"""Small files replaced as a whole: who reads one finds the old text or the new one, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace(target: Path, text: str, *, mode: int = 0o666) -> None:
    """mode: of the file, less what the umask takes. Its directory is made if there is none (0755).
    Raises OSError, and leaves nothing behind then."""
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
