"""`haman lab down`: end the cluster that `haman lab up` keeps, and leave nothing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

FINE = 0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 no cluster is kept here any more, 1 something of it cannot be ended."
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(options: argparse.Namespace) -> int:
    """0. Raises LabError."""
    from haman.lab.box.folder import Folder
    from haman.lab.box.start import down

    ended = down(Folder())
    if options.json:
        print(json.dumps({"ended": ended}))
    else:
        print("the cluster is gone, with all that belonged to it" if ended else "no cluster is kept here")
    return FINE
