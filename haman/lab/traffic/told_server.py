"""UDP behind a relay: the PROXY protocol, version 2, heads every datagram (HAProxy's doc/proxy-protocol.txt, 2.2).

It answers with the request's first 8 bytes, the server's name, and the client as the header tells it. What has no
header, or one for something else than UDP, gets no answer.
"""

from __future__ import annotations

import argparse
import socket
import struct

from haman.lab.traffic import udp_server

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_PROXY = 0x21
_UDP4 = 0x12
_UDP6 = 0x22
_FORMS = {_UDP4: (socket.AF_INET, 4), _UDP6: (socket.AF_INET6, 16)}


def told(datagram: bytes) -> tuple[str, int, bytes] | None:
    """The client's address and port, and what it sent; None for what has no such header. Written here anew, and not
    with haman's own encoder: it is the other side."""
    if len(datagram) < 16 or datagram[:12] != SIGNATURE or datagram[12] != _PROXY or datagram[13] not in _FORMS:
        return None
    family, width = _FORMS[datagram[13]]
    (length,) = struct.unpack_from("!H", datagram, 14)
    if length < 2 * width + 4 or len(datagram) < 16 + length:
        return None
    address = socket.inet_ntop(family, datagram[16 : 16 + width])
    (port,) = struct.unpack_from("!H", datagram, 16 + 2 * width)
    return address, port, datagram[16 + length :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default=socket.gethostname())
    options = parser.parse_args()
    with udp_server.listening(options.address, options.port) as sock:
        while True:
            datagram, sender = sock.recvfrom(65536)
            if (found := told(datagram)) is not None:
                address, port, request = found
                sock.sendto(request[:8] + f"{options.name} {address}:{port}".encode(), sender)


if __name__ == "__main__":
    main()
