"""Downloads for throughput: the client says how many bytes it wants, and gets them.

`python -m bench.bulk --port 8010` serves them, one client after the other.
"""

from __future__ import annotations

import argparse
import socket
import struct
import time
from typing import Final

from bench.load import PATIENCE
from haman.errors import LabError

_WANTED: Final = struct.Struct("!Q")
_BLOCK: Final = bytes(1 << 18)


class Download:
    """rate: bytes a second so far, of the time in which it asked."""

    def __init__(self, address: str, port: int, size: int) -> None:
        self._place = address, port
        self._size = size
        self._bytes, self._seconds = 0, 0.0

    def ask(self, seconds: float) -> None:
        """One download, however long it takes. Errors: LabError."""
        begun = time.perf_counter()
        buffer = bytearray(len(_BLOCK))
        left = self._size
        try:
            with socket.create_connection(self._place, PATIENCE) as sock:
                sock.sendall(_WANTED.pack(self._size))
                while left:
                    count = sock.recv_into(buffer)
                    if not count:
                        raise OSError(f"{left} bytes are missing")
                    left -= count
        except OSError as error:
            raise LabError(f"a download from {self._place}: {error}") from None
        self._bytes += self._size
        self._seconds += time.perf_counter() - begun

    @property
    def rate(self) -> float:
        return self._bytes / self._seconds

    def close(self) -> None:
        """Nothing stays open."""


def serve(port: int) -> None:
    """For ever."""
    with socket.create_server(("", port), backlog=64) as listener:
        print("serving", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    (left,) = _WANTED.unpack(client.recv(_WANTED.size, socket.MSG_WAITALL))
                    while left:
                        left -= client.send(_BLOCK[: min(left, len(_BLOCK))])
                except (OSError, struct.error):
                    continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
