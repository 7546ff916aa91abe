"""A TCP server for thousands of clients at once: what any of them says goes to `answer`."""

from __future__ import annotations

import resource
import select
import socket

CLIENTS = 4096
"""Open files it may have: one for each client."""

BACKLOG = 1024
"""Clients that may come at once."""


class Server:
    """A subclass says what becomes of a client that says something."""

    def __init__(self, port: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (CLIENTS, CLIENTS))
        self._listener = socket.create_server(("", port), backlog=BACKLOG)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}

    def serve(self) -> None:
        """For ever."""
        while True:
            for number, _ in self._epoll.poll():
                if number == self._listener.fileno():
                    self._welcome()
                elif not self._goes_on(self._clients[number]):
                    self._clients.pop(number).close()

    def answer(self, client: socket.socket) -> bool:
        """It has said something, or ended. Whether it stays. May raise OSError: then it does not."""
        raise NotImplementedError

    def _goes_on(self, client: socket.socket) -> bool:
        try:
            return self.answer(client)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _welcome(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it has gone again
        client.setblocking(False)
        self._clients[client.fileno()] = client
        self._epoll.register(client, select.EPOLLIN)
