"""Real servers for checks, many ports in one process: TCP connections are taken and closed, GETs get a short 200, DNS
queries over UDP an empty NOERROR.

It does as little as it can, so that what a machine's one processor does is mostly the checker's work. SIGUSR1 makes it
write how many checks it has seen so far: `python -m bench.responder --first 8001 --ports 100 --speaks http --out FILE`.
"""

from __future__ import annotations

import argparse
import contextlib
import select
import signal
import socket
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
BACKLOG = 1024
IP_PKTINFO = 8


def answer_datagrams(first: int, ports: int, out: Path) -> None:
    """For ever: each query comes back as its own answer (RFC 1035, section 4.1.1: QR, RA)."""
    epoll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    taken = 0
    for port in range(first, first + ports):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        # One socket for ten addresses: the answer must leave from the one that was asked.
        opened.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        opened.bind(("", port))
        sockets[opened.fileno()] = opened
        epoll.register(opened, select.EPOLLIN)

    def report(*_: object) -> None:
        out.write_text(str(taken))

    signal.signal(signal.SIGUSR1, report)
    report()
    while True:
        for number, _ in epoll.poll():
            with contextlib.suppress(BlockingIOError):
                while True:
                    query, told, _, source = sockets[number].recvmsg(512, 64)
                    taken += 1
                    (_, _, info) = told[0]
                    here = (socket.IPPROTO_IP, IP_PKTINFO, b"\0\0\0\0" + info[8:12] + b"\0\0\0\0")
                    sockets[number].sendmsg([query[:2], b"\x81\x80", query[4:]], [here], 0, source)


def serve(first: int, ports: int, out: Path, *, speaks: bool) -> None:
    """For ever. speaks: wait for a request and answer it; else a connection is closed as soon as it is taken."""
    epoll = select.epoll()
    listeners: dict[int, socket.socket] = {}
    clients: dict[int, socket.socket] = {}
    taken = 0
    for port in range(first, first + ports):
        listener = socket.create_server(("", port), backlog=BACKLOG)
        listener.setblocking(False)
        listeners[listener.fileno()] = listener
        epoll.register(listener, select.EPOLLIN)

    def report(*_: object) -> None:
        out.write_text(str(taken))

    signal.signal(signal.SIGUSR1, report)
    report()
    while True:
        for number, _ in epoll.poll():
            if number in clients:
                with clients.pop(number) as client, contextlib.suppress(OSError):
                    if client.recv(4096).startswith(b"GET "):
                        client.send(ANSWER)
                continue
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listeners[number].accept()
                    taken += 1
                    if speaks:
                        clients[client.fileno()] = client
                        epoll.register(client, select.EPOLLIN)
                    else:
                        client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--ports", type=int, required=True)
    parser.add_argument("--speaks", choices=["tcp", "http", "dns"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.speaks == "dns":
        answer_datagrams(options.first, options.ports, options.out)
    else:
        serve(options.first, options.ports, options.out, speaks=options.speaks == "http")


if __name__ == "__main__":
    main()
