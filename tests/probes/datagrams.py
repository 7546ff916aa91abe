"""UDP servers on loopback; what each answers is a function of what it is asked."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def replying(behaviour: Callable[[bytes, tuple[str, int], socket.socket], None], port: int = 0) -> Iterator[int]:
    """`behaviour` gets each datagram, who sent it, and the server's socket. Gives the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", port))

        def serve() -> None:
            while True:
                data, source = server.recvfrom(65535)
                if data == b"stop":
                    return
                behaviour(data, source, server)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        number = server.getsockname()[1]
        try:
            yield number
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
                stop.sendto(b"stop", ("127.0.0.1", number))
            thread.join(10)
