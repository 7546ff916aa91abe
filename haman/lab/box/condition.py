"""How the cluster is: every host with what runs there, who is active, and what is lacking until clients are served."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING, Any, Final

from haman.director.ask import ask
from haman.errors import Unreachable
from haman.lab.box.duties import doors
from haman.model.services import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.box.duties import Door
    from haman.lab.box.running import Running

WITHIN: Final = 2.0
"""Seconds an answer to the client may take."""

HEARD: Final = 10.0
"""Seconds a director may take to say how it is."""


def condition(running: Running) -> dict[str, Any]:
    """hosts[], serves, lacks[]: plain data."""
    with running.lock:
        statuses = {name: _status(running, name) for name in running.nodes}
        lacks = [*_lacks(running, statuses)]
        if not lacks:
            lacks = [*_closed(running)]
        return {
            "hosts": [_host(running, name, statuses) for name in running.hosts],
            "serves": not lacks,
            "lacks": lacks,
        }


def _status(running: Running, name: str) -> dict[str, Any] | str:
    """What a director says of itself; in words, why it says nothing."""
    if not running.nodes[name].running:
        return f"haman does not run: {_end(running, name, 'haman run')}"
    try:
        status: dict[str, Any] = running.hosts[name].call(ask, "status", patience=HEARD)
    except Unreachable as error:
        return str(error).partition("\n")[0]
    return status


def _end(running: Running, name: str, what: str) -> str:
    """How a program ended, with the last line it wrote."""
    process = running.programs(name)[what]
    status = process.wait() if not process.running() else 0
    words = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    lines = process.log.read_text(errors="replace").splitlines() if process.log and process.log.exists() else []
    return f"{words}; {lines[-1]}" if lines else words


def _lacks(running: Running, statuses: dict[str, dict[str, Any] | str]) -> Iterator[str]:
    for name in sorted(running.cut):
        yield f"{name}: its cables are out"
    for name in running.hosts:
        for what, process in running.programs(name).items():
            if what != "haman run" and not process.running():
                yield f"{name}: {what} does not run: {_end(running, name, what)}"
    said: dict[str, None] = {}
    for name, status in statuses.items():
        if isinstance(status, str):
            yield f"{name}: {status}"
            continue
        yield from (
            f"{name}: router {each['name']}: {each['waiting']}" for each in status["routers"] if each["waiting"]
        )
        said.update(dict.fromkeys(_unwell(status)))
    yield from said
    for router in running.model.routers:
        active = [name for name, roles in _roles(statuses).items() if roles.get(router) == "active"]
        if len(active) != 1:
            yield (
                f"router {router}: {' and '.join(active)} are active" if active else f"router {router}: none is active"
            )


def _unwell(status: dict[str, Any]) -> Iterator[str]:
    """Servers and services, in words that are the same whichever director says it."""
    for service in status["services"]:
        for server in service["servers"]:
            if server["state"] != "up":
                which = f"{service['name']}/{server['name']}:{server['port']}"
                yield f"server {which} is {server['state']}: {server['why']}"
    yield from status["problems"]


def _roles(statuses: dict[str, dict[str, Any] | str]) -> dict[str, dict[str, str]]:
    return {
        name: {} if isinstance(status, str) else {each["name"]: each["role"] for each in status["routers"]}
        for name, status in statuses.items()
    }


def _closed(running: Running) -> Iterator[str]:
    """The doors at which the client is not served."""
    client = running.hosts[running.layout.client.name]
    for door in doors(running.model, running.commands):
        if why := client.call(_try, door):
            yield f"{door} does not answer the client: {why}"


def _try(door: Door) -> str:
    """Why a client gets no answer there; empty when it does. Of a developer's own service a connection is enough."""
    address = str(door.address)
    try:
        if door.protocol is Protocol.UDP:
            family = socket.AF_INET6 if door.address.version == 6 else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(WITHIN)
                sock.connect((address, door.port))
                sock.send(b"haman lab")
                sock.recv(2048)
        elif not door.answered:
            socket.create_connection((address, door.port), WITHIN).close()
        else:
            connection = http.client.HTTPConnection(address, door.port, timeout=WITHIN)
            try:
                connection.request("GET", "/", headers={"Connection": "close"})
                connection.getresponse().read()
            finally:
                connection.close()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    return ""


def _host(running: Running, name: str, statuses: dict[str, dict[str, Any] | str]) -> dict[str, Any]:
    laid = running.layout.hosts[name]
    return {
        "name": name,
        "kind": laid.kind.value,
        "addresses": {card: each.texts() for card, each in laid.cards.items()},
        "gateways": [str(gateway) for gateway in laid.gateways.values()],
        "cut": name in running.cut,
        "roles": _roles(statuses).get(name, {}),
        "programs": [
            {"what": what, "pid": process.pid, "running": process.running()}
            for what, process in running.programs(name).items()
        ],
    }
