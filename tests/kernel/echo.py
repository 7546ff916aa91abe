"""A server that says its name and whom it sees, over TCP (for each line) and UDP (for each datagram), IPv4 and IPv6."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading


def main(name: str, *ports: str) -> None:
    def said(peer: str) -> bytes:
        return f"{name} {peer.removeprefix('::ffff:')}\n".encode()

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _ in self.rfile:
                self.wfile.write(said(self.client_address[0]))

    class Datagram(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            self.rfile.read()
            self.wfile.write(said(self.client_address[0]))

    class Tcp(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6
        allow_reuse_address = daemon_threads = True

    class Udp(socketserver.UDPServer):
        address_family = socket.AF_INET6

    servers = [make(("::", int(port)), handler) for port in ports for make, handler in ((Tcp, Stream), (Udp, Datagram))]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
