"""`haman schema`: the configuration's JSON Schema, for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from haman import config

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Write it to a file and name that in the first line of haman.yaml, as"
        " `# yaml-language-server: $schema=haman.schema.json`: editors then complete and explain. Exit code: 0, always."
    )


def run(arguments: argparse.Namespace) -> int:
    """Always exit code 0."""
    print(json.dumps(config.schema(), indent=2, ensure_ascii=False))
    return 0
