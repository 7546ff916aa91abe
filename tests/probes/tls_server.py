"""TLS servers on loopback, with the certificates beside this file."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from tests.probes.support import serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractContextManager

HERE = Path(__file__).parent / "certificates"
CA, OTHER, SERVER, EXPIRED, CLIENT, ENCRYPTED = (
    str(HERE / name) for name in ("ca.pem", "other.pem", "server.pem", "expired.pem", "client.pem", "encrypted.key")
)
NAME = "www.example.net"


def secured(
    behaviour: Callable[[ssl.SSLSocket], None],
    certificate: str = SERVER,
    *,
    client_ca: str | None = None,
    newest: ssl.TLSVersion | None = None,
    asked_for: list[str | None] | None = None,
) -> AbstractContextManager[int]:
    """Like `serving`, behind a handshake. asked_for: takes the names that clients ask for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    if newest is not None:
        context.maximum_version = newest

    def note(_socket: object, name: str | None, _context: object) -> None:
        if asked_for is not None:
            asked_for.append(name)

    context.sni_callback = note

    def wrapped(connection: socket.socket) -> None:
        # Not closed in an orderly way: checks hang up by reset, and the server's goodbye would find nobody.
        with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as secure:
            behaviour(secure)

    return serving(wrapped)
