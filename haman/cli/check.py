"""`haman check`: read the configuration and list every mistake, before a director has to."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from haman import config
from haman.config import node
from haman.director import startable
from haman.errors import NodeUnknown

if TYPE_CHECKING:
    import argparse

    from haman.config.mistakes import Mistake
    from haman.model.cluster import Cluster


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        default=config.DEFAULT_FILE,
        metavar="FILE",
        help="the configuration, - for standard input (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="the same as one JSON object")
    parser.epilog = "Exit codes: 0 the file is fine (warnings may be there), 2 it is not."


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 2 if the file has mistakes. ConfigError if there is no text to look at."""
    if arguments.file == "-":
        source = config.source.decode(sys.stdin.buffer.read(config.source.LIMIT + 1), "standard input")
    else:
        source = config.source.read(arguments.file)
    examination = config.examine(source)
    print(_json(examination) if arguments.json else _text(examination))
    return 2 if examination.mistakes else 0


def _text(examination: config.Examination) -> str:
    lines: list[str] = []
    for mistake in sorted((*examination.mistakes, *examination.warnings), key=lambda found: found.spot.line):
        lines += filter(None, (str(mistake), mistake.picture()))
    if lines:
        lines.append("")
    counted = [_count(len(examination.mistakes), "mistake"), _count(len(examination.warnings), "warning")]
    verdict = " and ".join(filter(None, counted)) or "fine"
    lines.append(f"{examination.source.name}: {verdict}")
    if examination.cluster:
        lines += [f"  {line}" for line in _summary(examination.cluster)]
        lines += [f"  warning: {words}" for words in _unstartable(examination.cluster)]
        lines += [f"  warning: {words}" for words in _unreadable(examination)]
    return "\n".join(lines)


def _summary(cluster: Cluster) -> list[str]:
    vips = sum(len(router.addresses) for router in cluster.routers.values())
    servers = sum(len(service.servers) for service in cluster.services.values())
    checks = {service.check.name for service in cluster.services.values() if service.check}
    counted = (
        _count(len(cluster.routers), "router") + f" with {_count(vips, 'VIP')}",
        _count(len(cluster.services), "service") or "no services",
        _count(servers, "server"),
        _count(len(checks), "check"),
    )
    return [
        f"cluster {cluster.name}: {_count(len(cluster.directors), 'director')} ({', '.join(cluster.directors)})",
        ", ".join(filter(None, counted)),
        _here(cluster)[1],
    ]


def _here(cluster: Cluster) -> tuple[str | None, str]:
    """Which director this machine is, and the same in words. Elsewhere than on a director that is no mistake."""
    try:
        name = node.find(cluster)
    except NodeUnknown as error:
        return None, str(error)
    return name, f"this machine is director {name}"


def _unstartable(cluster: Cluster) -> list[str]:
    """Programs that this machine could not start; of other machines nothing is known."""
    name, _ = _here(cluster)
    return [] if name is None else list(startable.findings(cluster, name))


def _unreadable(examination: config.Examination) -> list[str]:
    """Key files that this director could not use. Who asks may have no right to read them; haman run has."""
    cluster = examination.cluster
    if cluster is None or cluster.authentication is None or _here(cluster)[0] is None:
        return []
    return [str(examination.located(finding)) for finding in config.keys.read(cluster.authentication)[1]]


def _json(examination: config.Examination) -> str:
    cluster = examination.cluster
    answer: dict[str, Any] = {
        "file": examination.source.name,
        "ok": cluster is not None,
        "mistakes": [_plain(mistake) for mistake in examination.mistakes],
        "warnings": [_plain(mistake) for mistake in examination.warnings],
    }
    if cluster:
        answer["cluster"] = {
            "name": cluster.name,
            "node": _here(cluster)[0],
            "cannot_be_started": _unstartable(cluster),
            "cannot_be_read": _unreadable(examination),
            "directors": list(cluster.directors),
            "routers": {name: len(router.addresses) for name, router in cluster.routers.items()},
            "services": {name: len(service.servers) for name, service in cluster.services.items()},
        }
    return json.dumps(answer, indent=2)


def _plain(mistake: Mistake) -> dict[str, Any]:
    return {
        "line": mistake.spot.line,
        "column": mistake.spot.column,
        "path": list(mistake.path),
        "what": mistake.what,
        "cure": mistake.cure,
        "text": str(mistake),
    }


def _count(number: int, noun: str) -> str:
    """`1 server`, `2 servers`; nothing for none."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
