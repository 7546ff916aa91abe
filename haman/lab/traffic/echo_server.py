"""TCP: whatever a client says comes back to it, for as long as it stays. Thousands of clients at once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from haman.lab.traffic import many

if TYPE_CHECKING:
    import socket


class Server(many.Server):
    def answer(self, client: socket.socket) -> bool:
        said = client.recv(4096)
        client.send(said)
        return bool(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    Server(options.port).serve()


if __name__ == "__main__":
    main()
