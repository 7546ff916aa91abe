"""Events of a session on a person's screen: progress, the IPVS table, one line per drill, the sum.

On a terminal in colour (rich), else plain; nothing here decides anything.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from haman.lab import report
from haman.lab.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable

INDENT = "    "


class Show:
    """quiet: only collect the results."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.results: list[Result] = []
        self._print, self._line = (_nothing, _nothing) if quiet else _printers()
        self._headed = False

    def event(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "progress":
                self._print(f"... {event['text']}")
            case "table" if event["text"] and not (self.results and event["when"] == "before"):
                self._print(f"\nIPVS table {event['when']}:\n{event['text']}\n")
            case "result":
                result = Result.from_json(event["result"])
                self.results.append(result)
                if not self._headed and not result.examples:
                    self._headed = True
                    self._print(report.header())
                self._line(result)
                for detail in report.details(result):
                    self._print(INDENT + detail)
            case _:
                pass

    def end(self) -> None:
        self._print(report.summary(self.results))


def _nothing(_: object) -> None:
    pass


def _printers() -> tuple[Callable[[str], None], Callable[[Result], None]]:
    """How to print text, and a result's line."""
    if not sys.stdout.isatty():
        return (lambda text: print(text, flush=True)), (lambda result: print(report.line(result), flush=True))
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    return (lambda text: console.print(text, markup=False)), (lambda result: console.print(report.styled(result)))
