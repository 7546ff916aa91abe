"""Answers every UDP request at once with its first 8 bytes and the server's name.

It listens on the VIP itself, so that answers leave from the address that was asked without a word about it per packet.
"""

from __future__ import annotations

import argparse
import socket

SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 8 << 20


def listening(address: str, port: int) -> socket.socket:
    """Bound to this address, with room for all that comes while the machine is busy."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    sock.bind((address, port))
    return sock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default=socket.gethostname())
    options = parser.parse_args()
    name = options.name.encode()
    with listening(options.address, options.port) as sock:
        while True:
            request, client = sock.recvfrom(64)
            try:
                sock.sendto(request[:8] + name, client)
            except OSError:  # an unplugged NIC: the client counts it as lost, as it should
                continue


if __name__ == "__main__":
    main()
