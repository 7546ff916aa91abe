"""`haman reload`: have the running haman read its file again; the answer is what has changed, or every mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haman.cli.output import show
from haman.director.ask import ask

if TYPE_CHECKING:
    import argparse

FINE, REFUSED = 0, 2

TIMEOUT = 120.0
"""Seconds. Ten thousand servers take one or two; a slow machine and a hook's burst a few more."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 taken up (or nothing has changed), 1 no haman answers here, 2 the file has mistakes: all are "
        "listed, and what ran before goes on."
    )
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON object")


def run(options: argparse.Namespace) -> int:
    """0 or 2. Raises Unreachable."""
    outcome = ask("reload", patience=TIMEOUT)
    show(options, outcome, lines(outcome), ok=outcome["ok"])
    return FINE if outcome["ok"] else REFUSED


def lines(outcome: dict[str, Any]) -> list[str]:
    """For a person."""
    if not outcome["ok"]:
        return [*outcome["mistakes"], f"refused: generation {outcome['generation']} goes on"]
    head = "nothing has changed" if not outcome["lines"] else "taken up"
    warnings = [f"warning: {each}" for each in outcome["warnings"]]
    return [f"{head}: generation {outcome['generation']}", *(f"  {each}" for each in outcome["lines"]), *warnings]
