"""The other end of the control socket: put one question to the haman of this machine. Synchronous, for the CLI."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from haman import paths
from haman.director.control import VERSION
from haman.errors import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 10.0


def ask(question: str) -> Any:
    """The answer's JSON value. Raises Unreachable, saying what to do."""
    path = paths.control_socket()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT)
            client.connect(str(path))
            client.sendall(json.dumps({"v": VERSION, "ask": question}).encode() + b"\n")
            reply = _read(client)
    except FileNotFoundError:
        raise Unreachable(f"no haman runs here: there is no {path}.{_start()}") from None
    except ConnectionRefusedError:
        raise Unreachable(f"no haman listens on {path}: it has ended, or is just being restarted.{_start()}") from None
    except PermissionError:
        raise Unreachable(f"no permission for {path}: try as root") from None
    except TimeoutError:
        raise Unreachable(f"haman does not answer on {path} within {TIMEOUT:g} s") from None
    except OSError as error:
        raise Unreachable(f"{path}: {error.strerror or error}") from error
    return _answer(reply, path)


def _read(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def _answer(reply: bytes, path: Path) -> Any:
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
