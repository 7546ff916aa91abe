"""`haman status`: what this director does now, at a glance; or all of it as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from haman.director.ask import ask

if TYPE_CHECKING:
    import argparse

    from rich.console import Console
    from rich.table import Table

FINE, WRONG = 0, 3

PLAIN_WIDTH = 200
"""Columns where the output is no terminal: wide enough that a reason is one line for grep."""

_COLOURS = {
    "active": "green",
    "standby": "cyan",
    "up": "green",
    "fault": "red",
    "down": "red",
    "stopped": "yellow",
    "floor": "yellow",
    "unknown": "yellow",
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 fine, 1 no haman answers here, 3 something is wrong (it is said under Problems)."
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    parser.add_argument("--last", type=int, default=10, metavar="N", help="transitions shown (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """0 when all is well, 3 when something is wrong. Raises Unreachable."""
    status = ask("status")
    if options.json:
        json.dump(status, sys.stdout, indent=2)
        print()
    else:
        from rich.console import Console

        console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        show(status, console, options.last)
    return WRONG if status["problems"] else FINE


def show(status: dict[str, Any], console: Console, last: int) -> None:
    """Print the document of `haman.director.report`, for a person."""
    from rich.text import Text

    now = status["now"]
    title = Text(f"{status['node']} of cluster {status['cluster']}", style="bold")
    console.print(title, Text(f"  haman {status['version']}, running for {span(now - status['started'])}", style="dim"))
    config = status["config"]
    loaded = f"generation {config['generation']}, loaded {clock(config['loaded'], now)}"
    console.print(Text(f"{config['file']}: {loaded}", style="dim"))
    _section(console, "Routers", _routers(status))
    if status["services"]:
        _section(console, "Services", _services(status))
    if status["problems"]:
        console.print()
        console.print(Text("Problems", style="bold red"))
        for problem in status["problems"]:
            console.print(Text(f"  {problem}"))
    transitions = status["transitions"][-last:] if last > 0 else []
    if transitions:
        _section(console, "Last transitions", _transitions(transitions, now))


def span(seconds: float) -> str:
    """`3.2 s`, `4 min 10 s`, `5 h 2 min`, `3 d 4 h`."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def clock(moment: float, now: float) -> str:
    """The time of day; with the date when that is another day."""
    then = time.localtime(moment)
    today = time.localtime(now)
    same = (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M:%S", then)


def _section(console: Console, title: str, table: Table) -> None:
    from rich.text import Text

    console.print()
    console.print(Text(title, style="bold"))
    console.print(table)


def _grid(columns: int) -> Table:
    """Columns as wide as needed; the last, the reason, takes and wraps in what is left."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=0)
    for _ in range(columns - 1):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    return table


def _routers(status: dict[str, Any]) -> Table:
    table = _grid(5)
    for router in status["routers"]:
        reason = router["why"]
        if router["active_peer"] is not None and router["role"] != "active":
            peer = router["active_peer"]
            reason += f"; active is {peer['director'] or peer['address']} (priority {peer['priority']})"
        if router["waiting"]:
            reason += f"; does not preempt yet: {router['waiting']}"
        _row(
            table,
            router["name"],
            router["role"],
            f"for {span(status['now'] - router['since'])}",
            f"priority {router['priority']}",
            reason,
        )
        for address in router["addresses"]:
            _row(table, "", "", "", "", f"{address}{'' if router['holds'] else ' (not held)'}")
    if not status["routers"]:
        _row(table, "the elector has not reported yet", "", "", "", "")
    return table


def _services(status: dict[str, Any]) -> Table:
    table = _grid(6)
    for service in status["services"]:
        _row(
            table,
            service["name"],
            service["where"],
            service["state"],
            service["scheduler"],
            f"for {span(status['now'] - service['since'])}",
            service["why"],
        )
        for server in service["servers"]:
            state = server["state"] + (" (kept)" if server["kept_by_minimum_up"] else "")
            weight = "not served" if server["weight"] is None else f"weight {server['weight']}"
            since = f"for {span(status['now'] - server['since'])}"
            reason = server["why"]
            if server["in_doubt"] and server["last_check"] is not None:
                reason += f"; last check: {server['last_check']['words']}"
            where = f"{server['address']}:{server['port']}"
            _row(table, f"  {server['name']}", where, state, weight, since, reason)
    return table


def _transitions(transitions: list[dict[str, Any]], now: float) -> Table:
    table = _grid(4)
    for each in transitions:
        who = f"{each['kind']} {each['who']}"
        _row(table, clock(each["at"], now), who, f"{each['before']} -> {each['after']}", each["why"])
    return table


def _row(table: Table, *cells: str) -> None:
    """Words of others are shown as they are, never as markup; words that are a state get its colour."""
    from rich.text import Text

    table.add_row("", *(Text(cell, style=_COLOURS.get(cell.split(" ")[0], "") if cell else "") for cell in cells))
