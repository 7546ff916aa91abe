"""`haman run`: be a director. This process becomes the elector; it starts the director process itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DEFAULT_CONFIG = Path("/etc/haman/haman.yaml")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", "-c", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--node", help="which director this is (default: found by host name or address)")
    parser.epilog = "Exit codes: 0 after an orderly stop, 1 it failed, 2 the configuration is wrong."


def run(options: argparse.Namespace) -> int:
    """0 after an orderly stop, 1 when it failed, 2 when the configuration is wrong."""
    from haman.elector import process

    return process.run(options.config.absolute(), options.node)
