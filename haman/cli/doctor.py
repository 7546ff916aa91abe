"""`haman doctor`: what may be wrong with this director or real server, why that matters, and what to do about it."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from haman.cli.run import DEFAULT_CONFIG

if TYPE_CHECKING:
    import argparse

    from haman.doctor.finding import Finding
    from haman.doctor.fixing import Fix
    from haman.doctor.scene import Scene

FINE, FOUND = 0, 3
WIDTH = 110


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", "-c", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--node", help="which director, or real server, this is (default: found by host name or address)"
    )
    parser.add_argument(
        "--realserver",
        action="store_true",
        help="examine it as a real server only (default: as what it is by the file)",
    )
    parser.add_argument("--fix", action="store_true", help="write those kernel settings that are safe to write")
    parser.add_argument("--json", action="store_true", help="the findings as one JSON object")
    parser.epilog = (
        "Exit codes: 0 nothing is wrong (hints may be there), 1 the examination itself failed, 3 something is wrong. "
        "Works with and without a running haman, best as root."
    )


def run(options: argparse.Namespace) -> int:
    """0 or 3."""
    from haman import doctor
    from haman.doctor import fixing, scene

    def look() -> tuple[Scene, list[tuple[str, Finding]]]:
        seen = scene.gather(options.config.absolute(), options.node, realserver=options.realserver)
        return seen, doctor.examine(seen)

    seen, found = look()
    fixes: list[Fix] = []
    if options.fix:
        fixes = fixing.fix(finding for _, finding in found)
        if fixes:
            seen, found = look()
    if options.json:
        print(_json(found, seen, fixes))
    else:
        for each in fixes:
            print(each)
        print(text(found, tuple(doctor.EXAMINATIONS)))
    return FOUND if any(finding.problem for _, finding in found) else FINE


def text(found: list[tuple[str, Finding]], subjects: tuple[str, ...]) -> str:
    """For a person."""
    lines: list[str] = []
    for subject, finding in found:
        lines.append(f"{'PROBLEM' if finding.problem else 'hint'} ({subject}): {finding.what}")
        for name, words in (("seen", finding.evidence), ("means", finding.consequence), ("do", finding.fix)):
            lines += textwrap.wrap(
                words, WIDTH, initial_indent=f"  {name + ':':<7}", subsequent_indent=" " * 9, break_long_words=False
            )
        lines.append("")
    problems = sum(finding.problem for _, finding in found)
    hints = len(found) - problems
    verdict = (
        f"{problems} problem{'s' * (problems != 1)}, {hints} hint{'s' * (hints != 1)}" if found else "nothing found"
    )
    return "\n".join([*lines, f"{verdict}; examined: {', '.join(subjects)}"])


def _json(found: list[tuple[str, Finding]], seen: Scene, fixes: list[Fix]) -> str:
    answer = {
        "node": seen.node,
        "file": seen.file,
        "running": seen.status is not None,
        "servers": sorted({part.server.name for part in seen.parts}),
        "fixed": [asdict(each) for each in fixes],
        "problems": sum(finding.problem for _, finding in found),
        "findings": [{"subject": subject, **asdict(finding)} for subject, finding in found],
    }
    return json.dumps(answer, indent=2)
