"""The least that a TCP relay can be with asyncio: what one says is written to the other, the end of a direction is
handed on. No PROXY header, limits, counts or idle times: it is what haman's own loop is measured against.

    python -m bench.plain_relay --listen 10.9.0.103 --port 8001 --to 10.0.0.11
"""

from __future__ import annotations

import argparse
import asyncio
import socket

BACKLOG = 4096


class Half(asyncio.Protocol):
    """One of the two sockets; `other` is the transport of the other one, once there is one."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        _at_once(transport)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        self.other.write(data)

    def eof_received(self) -> bool:
        if self.other is not None and self.other.can_write_eof():
            self.other.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.is_closing():
            self.other.resume_reading()


class Client(Half):
    """An accepted one: nothing is read until the server has accepted as well."""

    def __init__(self, group: asyncio.TaskGroup, to: tuple[str, int]) -> None:
        super().__init__()
        self._group = group
        self._to = to

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._group.create_task(self._connect())

    async def _connect(self) -> None:
        assert self.transport is not None
        try:
            transport, half = await asyncio.get_running_loop().create_connection(Half, *self._to)
        except OSError:
            self.transport.abort()
            return
        self.other, half.other = transport, self.transport
        if self.transport.is_closing():
            transport.close()
        else:
            self.transport.resume_reading()


def _at_once(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def relay(listen: str, port: int, to: tuple[str, int]) -> None:
    """For ever."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        server = await loop.create_server(lambda: Client(group, to), listen, port, backlog=BACKLOG)
        print("serving", flush=True)
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", required=True)
    options = parser.parse_args()
    asyncio.run(relay(options.listen, options.port, (options.to, options.port)))


if __name__ == "__main__":
    main()
