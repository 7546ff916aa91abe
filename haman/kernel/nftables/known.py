"""What our own text looked like when it was read back: by this a table that nobody has touched is known again.

nft lists rules in words of its own, which differ from version to version, so a listing is never compared with what we
would have written, but with the listing that came after it was written. The file outlives the process and not the
machine, as the table does. Whatever cannot be read means: not known, and the table is written once more, which harms no
connection.
"""

from __future__ import annotations

import contextlib
import json
from typing import NamedTuple

from haman import files, paths


class Known(NamedTuple):
    """text: what was written. listing: program.read right after."""

    text: str
    listing: str


def load() -> Known | None:
    try:
        entry = json.loads((paths.owned_directory() / "nftables.json").read_text())
        return Known(str(entry["text"]), str(entry["listing"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(known: Known | None) -> None:
    """None: there is no table. A disk that is full costs one more writing of the table after a restart."""
    target = paths.owned_directory() / "nftables.json"
    with contextlib.suppress(OSError):
        if known is None:
            target.unlink(missing_ok=True)
            return
        files.replace(target, json.dumps(known._asdict()))
