"""One ICMP socket for all pings of one family and source. Replies are told apart by number, address and token.

A ping socket (SOCK_DGRAM) needs no privilege, but the process's group in the sysctl net.ipv4.ping_group_range, whose
default lets nobody in (Debian lets everybody in). Where it is refused a raw socket is tried, which needs CAP_NET_RAW.
What routers answer in the server's place (unreachable) comes by the socket's error queue (IP_RECVERR, ip(7)).
"""

from __future__ import annotations

import errno
import os
import random
import socket
import struct
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from haman.probes.prober import NotPrepared
from haman.probes.source import leave_by
from haman.probes.watcher import READABLE
from haman.wire import icmp

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.model.addresses import Address
    from haman.model.checks import Source
    from haman.probes.watcher import Watcher

BATCH: Final = 64
"""Packets read in a row before the loop may do something else."""

_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ICMP_FILTER, _ICMPV6_FILTER = 1, 1
_SOL_RAW = 255
_EXTENDED_ERROR = struct.Struct("=IBBBxII")  # struct sock_extended_err, linux/errqueue.h
_ORIGIN_NONE = 0


class EchoSocket:
    """Errors of the constructor: PermissionError when this process may have neither kind of socket; OSError,
    NotPrepared. is_lost: the interface it was bound to is gone, and so it stays when another one gets that name."""

    def __init__(self, watcher: Watcher, *, six: bool, source: Source | None = None) -> None:
        self._watcher = watcher
        self._six = six
        self._socket, self._raw = _open(six=six)
        if source is not None:
            try:
                leave_by(self._socket, source)
            except NotPrepared:
                self._socket.close()
                raise
        self._identifier = random.getrandbits(16)  # of a ping socket the kernel chooses it
        self._token = os.urandom(8)
        self._sequence = random.getrandbits(16)
        self._waiting: dict[int, tuple[Address, Callable[[int], None]]] = {}
        self._is_bound = source is not None and source.interface is not None
        self.is_lost = False
        self._wait()

    def send(self, address: Address, heard: Callable[[int], None]) -> int:
        """Ask `address` for an echo. Returns the number to `forget` it by. Errors: OSError, NotPrepared.

        heard: called once, with 0 for a reply, else with the error number of what a router or this machine's own
        kernel had to say about it.
        """
        sequence = self._next()
        packet = icmp.request(icmp.Echo(self._identifier, sequence, self._token), six=self._six)
        self._waiting[sequence] = (address, heard)
        to = (str(address), 0)
        try:
            try:
                self._socket.sendto(packet, to)
            except OSError:
                # Errors of earlier pings are told to whoever uses the socket next: theirs first, then ours.
                self._read_errors()
                if sequence in self._waiting:
                    self._socket.sendto(packet, to)
        except OSError as error:
            self.forget(sequence)
            if self._is_bound and error.errno == errno.ENODEV:
                self.is_lost = True
                raise NotPrepared("the interface it is to leave by was removed") from error
            raise
        return sequence

    def forget(self, sequence: int) -> None:
        """Idempotent: nobody waits for this one any more."""
        self._waiting.pop(sequence, None)

    def close(self) -> None:
        """Nothing is heard any more."""
        self._waiting.clear()
        self._watcher.forget(self._socket.fileno(), waiting=True)
        self._socket.close()

    def _next(self) -> int:
        """A number that nobody waits for; checks in flight are far fewer than there are numbers."""
        while True:
            self._sequence = (self._sequence + 1) & 0xFFFF
            if self._sequence not in self._waiting:
                return self._sequence

    def _wait(self) -> None:
        self._watcher.wait(self._socket.fileno(), READABLE, self._happened)

    def _happened(self, events: int) -> None:
        self._wait()
        self._read_errors()
        with suppress(BlockingIOError):
            for _ in range(BATCH):
                try:
                    packet, source = self._socket.recvfrom(2048)
                except BlockingIOError:
                    raise
                except OSError:  # an error of a ping's, which the queue has told already
                    continue
                self._received(packet, source[0])

    def _received(self, packet: bytes, source: str) -> None:
        if self._raw and not self._six:
            packet = packet[(packet[0] & 0x0F) * 4 :]
        reply = icmp.replied(packet, six=self._six)
        if reply is None or reply.payload != self._token or (self._raw and reply.identifier != self._identifier):
            return
        self._tell(reply.sequence, source, 0)

    def _read_errors(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(BATCH):
                packet, control, _, to = self._socket.recvmsg(256, 512, socket.MSG_ERRQUEUE)
                request = icmp.requested(packet, six=self._six)
                for level, kind, data in control:
                    queued = (socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)
                    if (level, kind) in queued and request is not None and len(data) >= _EXTENDED_ERROR.size:
                        code, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
                        if origin != _ORIGIN_NONE and code != errno.EMSGSIZE:
                            self._tell(request.sequence, to[0], code)

    def _tell(self, sequence: int, about: str, code: int) -> None:
        """A stranger's packet, or one that comes late, is nobody's."""
        waiting = self._waiting.get(sequence)
        if waiting is not None and ip_address(about.split("%")[0]) == waiting[0]:
            del self._waiting[sequence]
            waiting[1](code)


def _open(*, six: bool) -> tuple[socket.socket, bool]:
    """The socket, and whether it is a raw one."""
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        opened, raw = socket.socket(family, socket.SOCK_DGRAM | flags, protocol), False
    except PermissionError:
        opened, raw = socket.socket(family, socket.SOCK_RAW | flags, protocol), True
    if six:
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        if raw:
            passed = 1 << icmp.REPLY6
            blocked = ((1 << 256) - 1) & ~passed
            opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, _words(blocked))
    else:
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        if raw:
            opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~(1 << icmp.REPLY)))
    return opened, raw


def _words(bits: int) -> bytes:
    """struct icmp6_filter: eight 32-bit words, type 0 in the lowest bit of the first."""
    return struct.pack("=8I", *((bits >> (32 * number)) & 0xFFFFFFFF for number in range(8)))
