"""The real server's unit: it calls what there is."""

from __future__ import annotations

import re
from pathlib import Path

from haman.cli import parsers

UNIT = (Path(__file__).parents[2] / "systemd/haman-realserver.service").read_text()


def test_its_command_line_is_taken() -> None:
    (line,) = re.findall(r"^ExecStart=/usr/bin/haman (.*)$", UNIT, re.MULTILINE)
    parser, _ = parsers(["realserver"])
    assert parser.parse_args(line.split()).stay
