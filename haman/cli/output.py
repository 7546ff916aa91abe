"""What verbs print: an answer of the director for programs or for a person."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable


def print_json(value: Any) -> None:
    """Indented, on standard output."""
    json.dump(value, sys.stdout, indent=2)
    print()


def show(options: argparse.Namespace, outcome: dict[str, Any], lines: Iterable[str], *, ok: bool = True) -> None:
    """What came of it: with `--json` the whole outcome, else `lines`, which go to standard error unless `ok`."""
    if options.json:
        print_json(outcome)
    else:
        print("\n".join(lines), file=sys.stdout if ok else sys.stderr)
