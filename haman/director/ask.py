"""The other end of the control socket: put one question to the haman of this machine. Synchronous, for the CLI."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from haman import paths
from haman.director.control import VERSION
from haman.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 10.0


def ask(question: str, *, patience: float | None = None, **details: Any) -> Any:
    """The answer's JSON value. details: what exactly is asked. patience: seconds, TIMEOUT unless said. Raises
    Unreachable, saying what to do."""
    with _connected(question, details, patience) as client:
        reply = _read(client)
    return _answer(reply, paths.control_socket())


def follow(question: str, **details: Any) -> Iterator[Any]:
    """The answer's JSON value, then that of each further line, until the director ends it. Raises Unreachable."""
    with _connected(question, details) as client:
        rest = b""
        first = True
        while True:
            data = client.recv(1 << 20)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield _answer(line + b"\n", paths.control_socket()) if first else json.loads(line)
                if first:
                    first = False
                    client.settimeout(None)
            if not data:
                return


@contextlib.contextmanager
def _connected(question: str, details: dict[str, Any], patience: float | None = None) -> Iterator[socket.socket]:
    """A socket on which the question was asked. What goes wrong on it becomes Unreachable."""
    path = paths.control_socket()
    patience = TIMEOUT if patience is None else patience
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(patience)
            client.connect(str(path))
            client.sendall(json.dumps({"v": VERSION, "ask": question, **details}).encode() + b"\n")
            yield client
    except FileNotFoundError:
        raise Unreachable(f"no haman runs here: there is no {path}.{_start()}") from None
    except ConnectionRefusedError:
        raise Unreachable(f"no haman listens on {path}: it has ended, or is just being restarted.{_start()}") from None
    except PermissionError:
        raise Unreachable(f"no permission for {path}: try as root") from None
    except TimeoutError:
        raise Unreachable(f"haman does not answer on {path} within {patience:g} s") from None
    except OSError as error:
        raise Unreachable(f"{path}: {error.strerror or error}") from error


def _read(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def _answer(reply: bytes, path: Path) -> Any:
    if not reply.endswith(b"\n"):
        raise Unreachable(f"haman on {path} hung up before it had answered (is it being restarted?): ask again")
    try:
        message = json.loads(reply)
        if "answer" in message:
            return message["answer"]
        words = str(message["error"])
    except (ValueError, KeyError, TypeError):
        raise Unreachable(f"what answers on {path} is no haman that is understood here") from None
    raise Unreachable(words)


def _start() -> str:
    return "\nStart it: systemctl start haman, or: haman run --config FILE"
