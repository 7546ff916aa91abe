"""`haman status`: what this director does now, at a glance; or all of it as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from haman.cli import maintenance
from haman.cli.output import print_json
from haman.cli.times import clock, span
from haman.director.ask import ask
from haman.errors import Unreachable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FINE, FAILED, WRONG = 0, 1, 3

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
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=1.0,
        metavar="SECONDS",
        help="again and again until Ctrl-C (default: every second); with --json one object a line",
    )
    parser.add_argument("--last", type=int, default=10, metavar="N", help="transitions shown (default: %(default)s)")


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0.1 <= (seconds := float(text)) <= 3600:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0.1 to 3600")


def run(options: argparse.Namespace) -> int:
    """0 when all is well, 3 when something is wrong. Raises Unreachable."""
    if options.watch is not None:
        return _watch(options)
    status = ask("status")
    if options.json:
        print_json(status)
    else:
        show(status, _console(), options.last)
    return WRONG if status["problems"] else FINE


def _watch(options: argparse.Namespace) -> int:
    """Until Ctrl-C. A director that is just being restarted is waited for. The exit code is that of the last look."""
    from rich.live import Live

    console, code = _console(), FINE
    screen = sys.stdout.isatty() and not options.json
    try:
        with Live(console=console, screen=screen, auto_refresh=False) if screen else nullcontext() as live:
            while True:
                try:
                    status = ask("status")
                    code = WRONG if status["problems"] else FINE
                    parts = page(status, options.last)
                except Unreachable as error:
                    status, code, parts = {"error": str(error)}, FAILED, [str(error)]
                if live is not None:
                    live.update(_fitting(parts, console), refresh=True)
                elif options.json:
                    print(json.dumps(status), flush=True)
                else:
                    console.print(*parts, "", sep="\n")
                time.sleep(options.watch)
    except KeyboardInterrupt:
        return code


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def _fitting(parts: list[Any], console: Console) -> Any:
    """The page, cut where the screen ends."""
    from rich.console import Group
    from rich.segment import Segment, Segments

    lines = console.render_lines(Group(*parts), pad=False)

    return Segments([segment for line in lines[: console.height - 1] for segment in (*line, Segment.line())])


def show(status: dict[str, Any], console: Console, last: int) -> None:
    """Print the document of `haman.director.report`, for a person."""
    for part in page(status, last):
        console.print(part)


def page(status: dict[str, Any], last: int) -> list[Any]:
    """The same as renderables of rich, one below the other."""
    from rich.text import Text

    now = status["now"]
    title = Text(f"{status['node']} of cluster {status['cluster']}", style="bold")
    title.append(f"   haman {status['version']}, running for {span(now - status['started'])}", style="not bold dim")
    config = status["config"]
    loaded = f"generation {config['generation']}, loaded {clock(config['loaded'], now)}"
    changed = "; the file on disk is another by now: haman reload" if config["changed_since"] else ""
    file = Text(f"{config['file']}: {loaded}{changed}", style="dim")
    parts = [title, file, *_orders(status["orders"], now), *_section("Routers", _routers(status))]
    if status["directors"]:
        parts += _section("Other directors", _directors(status["directors"]))
    if status["trackers"]:
        parts += _section("Trackers", _trackers(status))
    if status["services"]:
        parts += _section("Services", _services(status))
    if status["problems"]:
        parts += ["", Text("Problems", style="bold red"), *(Text(f"  {problem}") for problem in status["problems"])]
    transitions = status["transitions"][-last:] if last > 0 else []
    if transitions:
        parts += _section("Last transitions", _transitions(transitions, now))
    return parts


def _orders(orders: dict[str, Any], now: float) -> list[Any]:
    """What the operator has ordered, and may have forgotten."""
    from rich.text import Text

    parts = []
    if order := orders["maintenance"]:
        parts += ["", Text(f"MAINTENANCE, {maintenance.words(order, now)}", style="bold red")]
    for service, wished in orders.get("sites", {}).items():  # an older haman tells of none
        site = "A BACKUP SERVES" if wished["site"] == "backup" else "NO BACKUP SERVES"
        who = f"ordered by {wished['by']} at {clock(wished['at'], now)}"
        parts += ["", Text(f"{site} {service}, {who} (haman site use auto {service} ends it)", style="bold red")]
    for plan in orders["planned"]:
        what, to = " and ".join(plan["routers"]) or "all", plan["to"] or "whoever can"
        parts.append(Text(f"planned by {plan['by']}: at {clock(plan['at'], now)} {what} to {to}", style="bold yellow"))
    return parts


def _section(title: str, table: Table) -> list[Any]:
    from rich.text import Text

    return ["", Text(title, style="bold"), table]


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
        if (takeover := router.get("takeover")) is not None:  # an older haman tells of none
            reason += f"; {takeover['why']}"
        if router["group"]:
            reason = f"group {router['group']}: {reason}"
        if router.get("held"):
            reason = f"NOT TAKEN: {router['held']}"
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


def _directors(directors: list[dict[str, Any]]) -> Table:
    table = _grid(4)
    for each in directors:
        age = each["heard_seconds_ago"]
        roles = ", ".join(f"{router} {role}" for router, role in each["roles"].items())
        reasons = [f"cannot take {router} over yet: {why}" for router, why in each["waiting"].items()]
        if each["refused"] is not None:
            reasons.insert(0, f"its messages are refused: {each['refused']}")
        elif each.get("doubted"):
            reasons.insert(0, f"its messages are believed without proof: {each['doubted']}")
        if each["same_configuration"] is False:
            reasons.insert(0, "runs another configuration than this one")
        state = "up" if each["heard"] else "silent"
        since = "" if each["heard"] else "never heard" if age is None else f"for {span(age)}"
        _row(table, each["name"], state, since or roles, "; ".join(reasons))
    return table


def _trackers(status: dict[str, Any]) -> Table:
    table = _grid(3)
    for tracker in status["trackers"]:
        _row(table, tracker["name"], tracker["state"], tracker["why"])
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
            service["why"] + (f"; weights as {service['follows']} has them" if service["follows"] else ""),
        )
        servers = list(service["servers"])
        if service.get("site") is not None:  # an older haman tells of none
            _row(table, "", *_site(service["site"], status["now"]))
        for backup in service.get("backups", ()):
            if backup.get("relay"):
                _row(table, f"  @{backup['name']}", "", "relay", *_relay(backup["relay"]))
            servers += [{**server, "name": f"@{backup['name']} {server['name']}"} for server in backup["servers"]]
        for server in servers:
            state = server["state"] + (" (kept)" if server["kept_by_minimum_up"] else "")
            weight = "not served" if server["weight"] is None else f"weight {server['weight']}"
            since = f"for {span(status['now'] - server['since'])}"
            reason = server["why"]
            if server["weight"] != server["own_weight"] and service["follows"]:
                reason += f", but {service['follows']} is active and has it so"
            if server["in_doubt"] and server["last_check"] is not None:
                reason += f"; last check: {server['last_check']['words']}"
            if server["last_check"] is not None and server["last_check"].get("certificate"):
                reason += f"; {server['last_check']['certificate']}"
            where = f"{server['address']}:{server['port']}"
            _row(table, f"  {server['name']}", where, state, weight, since, reason)
    return table


def _relay(relay: dict[str, Any]) -> list[str]:
    """Three cells of a row: how many sessions it has, has had, and why some were refused or ended early."""
    refused = ", ".join(f"{count} {reason}" for reason, count in relay["refused"].items() if count)
    sessions = f"{relay['sessions']} sessions"
    return [sessions, f"{relay['total']} in all", f"refused or ended early: {refused}" if refused else ""]


def _site(site: dict[str, Any], now: float) -> list[str]:
    """One row of the table: which site serves, and why."""
    wish = f"; the operator wants {site['order']}" if site["order"] != "auto" else ""
    although = " (although down)" if site["although_down"] else ""
    return [f"site {site['serves']}{although}", "", "", f"for {span(now - site['since'])}", site["why"] + wish]


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
