"""TCP: it listens until the client has ended its direction, and only then answers, with how many bytes came and the
server's name. So a client is answered only if whoever stands between hands on the end of one direction as that.
"""

from __future__ import annotations

import argparse
import socket
from collections import Counter

from haman.lab.traffic import many


class Server(many.Server):
    def __init__(self, name: str, port: int) -> None:
        super().__init__(port)
        self._name = name
        self._counts: Counter[socket.socket] = Counter()

    def answer(self, client: socket.socket) -> bool:
        if said := client.recv(65536):
            self._counts[client] += len(said)
            return True
        client.send(f"{self._counts.pop(client, 0)} {self._name}".encode())
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default=socket.gethostname())
    options = parser.parse_args()
    Server(options.name, options.port).serve()


if __name__ == "__main__":
    main()
