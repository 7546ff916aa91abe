"""Short HTTP requests: 200 and the server's name, then the end. It keeps nothing.

`/healthz` is answered the same way, until SIGUSR1 makes it 503 while everything else goes on (a check that broke, not
a server); SIGUSR2 mends it.
"""

from __future__ import annotations

import argparse
import select
import signal
import socket

BACKLOG = 512


def answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class Server:
    def __init__(self, name: str, ports: list[int]) -> None:
        self.healthy = True
        self.ok = answer("200 OK", name.encode() + b"\n")
        self.broken = answer("503 Service Unavailable", b"broken\n")
        self.epoll = select.epoll()
        self.listeners: dict[int, socket.socket] = {}
        self.clients: dict[int, socket.socket] = {}
        for port in ports:
            sock = socket.create_server(("", port), backlog=BACKLOG)
            sock.setblocking(False)
            self.listeners[sock.fileno()] = sock
            self.epoll.register(sock, select.EPOLLIN)

    def serve(self) -> None:
        while True:
            for number, _ in self.epoll.poll():
                if number in self.listeners:
                    self.accept(self.listeners[number])
                else:
                    self.reply(number)

    def accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        self.clients[client.fileno()] = client
        self.epoll.register(client, select.EPOLLIN)

    def reply(self, number: int) -> None:
        """A request is short enough to come in one piece; whatever else comes ends the connection too."""
        with self.clients.pop(number) as client:
            try:
                request = client.recv(4096, socket.MSG_DONTWAIT)
                if request.startswith(b"GET "):
                    sick = request.startswith(b"GET /healthz ") and not self.healthy
                    client.send(self.broken if sick else self.ok, socket.MSG_DONTWAIT)
            except OSError:
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, action="append", required=True)
    parser.add_argument("--name", default=socket.gethostname())
    options = parser.parse_args()
    server = Server(options.name, options.port)

    def break_health(*_: object) -> None:
        server.healthy = False

    def mend_health(*_: object) -> None:
        server.healthy = True

    signal.signal(signal.SIGUSR1, break_health)
    signal.signal(signal.SIGUSR2, mend_health)
    server.serve()


if __name__ == "__main__":
    main()
