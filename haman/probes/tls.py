"""TLS as a client, for all checks with the same settings: one context, made anew when one of its files has changed.

Certificates are renewed while haman runs. Looking at three files costs some microseconds, a context some milliseconds.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from haman.probes import certificate
from haman.probes.certificate import BadCertificate
from haman.probes.prober import NotPrepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.model.checks import Tls

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Client:
    def __init__(self, settings: Tls) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._made_from: tuple[object, ...] = ()
        self._seen = b""
        self._ends: float | None = None

    def context(self) -> ssl.SSLContext:
        """Raises NotPrepared, with the name of the file that cannot be used."""
        made_from = tuple(map(_state, self._files()))
        if self._context is None or made_from != self._made_from:
            self._context = None
            self._context = _context(self._settings)
            self._made_from = made_from
        return self._context

    def ends(self, tls: ssl.SSLObject) -> float | None:
        """When the server's certificate ends, wall-clock seconds since the epoch; None if it cannot be told."""
        shown = tls.getpeercert(binary_form=True)
        if shown is None:
            return None
        if shown != self._seen:  # the same one, time after time
            self._seen = shown
            try:
                self._ends = certificate.not_after(shown)
            except BadCertificate:
                self._ends = None
        return self._ends

    def _files(self) -> list[str]:
        files = (self._settings.ca, self._settings.certificate, self._settings.key)
        return [file for file in files if file is not None]


def _state(file: str) -> tuple[int, int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _context(settings: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    context.set_alpn_protocols(["http/1.1"])
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if settings.verify and settings.ca is not None:
        ca = settings.ca
        _load(ca, lambda: context.load_verify_locations(ca))
    if settings.certificate is not None:
        certificate, key = settings.certificate, settings.key
        _load(certificate, lambda: None)
        _load(key or certificate, lambda: context.load_cert_chain(certificate, key, password=_no_password))
    return context


def _load(file: str, load: Callable[[], None]) -> None:
    """OpenSSL's own errors do not name the file."""
    try:
        with open(file, "rb"):
            load()
    except ssl.SSLError as error:
        words = (error.reason or "nothing in PEM form in it").lower().replace("_", " ")
        raise NotPrepared(f"{file}: {words}") from error
    except OSError as error:
        raise NotPrepared(f"{file}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise NotPrepared(f"{file}: {error}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is there to type a password")
