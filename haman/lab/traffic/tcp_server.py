"""Short HTTP requests: 200 and the server's name, then the end. It keeps nothing.

`/healthz` is answered the same way, and with 503 while its health is broken.
"""

from __future__ import annotations

import argparse
import select
import socket

from haman.lab.traffic.healthz import BACKLOG, Health


class Server:
    def __init__(self, name: str, ports: list[int], *, address: str = "", ipv6: bool) -> None:
        self.name = name.encode()
        self.health = Health()
        self.epoll = select.epoll()
        self.listeners: dict[int, socket.socket] = {}
        self.clients: dict[int, socket.socket] = {}
        for port in ports:
            family = socket.AF_INET6 if ipv6 else socket.AF_INET
            sock = socket.create_server((address, port), family=family, backlog=BACKLOG, dualstack_ipv6=ipv6)
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
                    client.send(self.health.answer(request.split(b" ", 2)[1], self.name), socket.MSG_DONTWAIT)
            except OSError:
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, action="append", required=True)
    parser.add_argument("--name", default=socket.gethostname())
    parser.add_argument("--address", default="", help="listen on this one alone")
    parser.add_argument("--ipv6", action="store_true", help="as well as IPv4")
    options = parser.parse_args()
    server = Server(options.name, options.port, address=options.address, ipv6=options.ipv6)
    server.health.obey_signals()
    server.serve()


if __name__ == "__main__":
    main()
