"""What a real server runs where the developer has nothing to run: every port answers with the host's name.

HTTP: any request is answered with 200, but for `/healthz` while its health is broken. UDP: the
request comes back with the name behind it, from the address that was asked (which may be a VIP).
"""

from __future__ import annotations

import argparse
import selectors
import socket
from typing import TYPE_CHECKING

from haman.lab.traffic.healthz import BACKLOG, Health

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 1400


class Answerer:
    def __init__(self, name: str, tcp: Sequence[int], udp: Sequence[int]) -> None:
        self.name = name.encode()
        self.health = Health()
        self.selector = selectors.DefaultSelector()
        for port in tcp:
            listener = socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
            listener.setblocking(False)
            self.selector.register(listener, selectors.EVENT_READ, self.accept)
        for port in udp:
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.bind(("", port))
            sock.setblocking(False)
            self.selector.register(sock, selectors.EVENT_READ, self.datagram)

    def serve(self) -> None:
        while True:
            for key, _ in self.selector.select():
                try:
                    key.data(key.fileobj)
                except OSError:
                    continue  # whoever asked has gone, or there is no way back: he is told nothing

    def accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.setblocking(False)
        self.selector.register(client, selectors.EVENT_READ, self.request)

    def request(self, client: socket.socket) -> None:
        """A request is short enough to come in one piece; whatever else comes ends the connection too."""
        self.selector.unregister(client)
        with client:
            words = client.recv(4096).split(b" ", 2)
            if len(words) == 3:
                client.send(self.health.answer(words[1], self.name, head_only=words[0] == b"HEAD"))

    def datagram(self, sock: socket.socket) -> None:
        data, control, _, client = sock.recvmsg(LONGEST, 256)
        # struct in6_pktinfo: the address that was asked, and the interface, which the answer need not leave by.
        info = [(level, kind, value[:16] + bytes(4)) for level, kind, value in control if kind == socket.IPV6_PKTINFO]
        sock.sendmsg([data + b" " + self.name], info, 0, client)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tcp", type=int, action="append", default=[])
    parser.add_argument("--udp", type=int, action="append", default=[])
    parser.add_argument("--name", default=socket.gethostname())
    options = parser.parse_args()
    answerer = Answerer(options.name, options.tcp, options.udp)
    answerer.health.obey_signals()
    answerer.serve()


if __name__ == "__main__":
    main()
