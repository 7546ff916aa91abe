"""What all checks of one process share: the watcher, sockets, TLS settings, patterns, places for programs. Settings and
patterns are forgotten with the last check that has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from haman.pattern import Pattern
from haman.probes.echo import EchoSocket
from haman.probes.scripts import Scripts
from haman.probes.sockets import Sockets
from haman.probes.tls import Client
from haman.probes.watcher import Watcher

if TYPE_CHECKING:
    import asyncio

    from haman.model.checks import Source, Tls


class Equipment:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watcher = Watcher(loop)
        self.sockets = Sockets(self.watcher)
        self.scripts = Scripts()
        self._echoes: dict[tuple[bool, Source | None], EchoSocket] = {}
        self._clients: WeakValueDictionary[Tls, Client] = WeakValueDictionary()
        self._patterns: WeakValueDictionary[str, Pattern] = WeakValueDictionary()

    def echo(self, *, six: bool, source: Source | None = None) -> EchoSocket:
        """The one ICMP socket of the family and source. Errors: as of EchoSocket; the next call tries again."""
        found = self._echoes.get((six, source))
        if found is not None and found.is_lost:
            found.close()
            found = None
        if found is None:
            found = self._echoes[six, source] = EchoSocket(self.watcher, six=six, source=source)
        return found

    def client(self, settings: Tls) -> Client:
        """The one TLS client with these settings. Whose certificate is wanted and when its end is near is each check's
        own: a client that trusts whom this machine trusts takes a megabyte, and a tenth of a second to be made."""
        shared = replace(settings, server_name=None, warn_before=0.0)
        found = self._clients.get(shared)
        if found is None:
            found = self._clients[shared] = Client(shared)
        return found

    def pattern(self, text: str) -> Pattern:
        """A pattern that the configuration has accepted, made ready once."""
        found = self._patterns.get(text)
        if found is None:
            found = self._patterns[text] = Pattern(text)
        return found

    def close(self) -> None:
        """AFTER every prober was abandoned."""
        self.scripts.close()
        self.sockets.close()
        for echo in self._echoes.values():
            echo.close()
        self._echoes.clear()
        self.watcher.close()
