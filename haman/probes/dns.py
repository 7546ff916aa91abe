"""Healthy when a name server answers a question as expected, over UDP or TCP.

What is no answer to this very question (another id, another question, another source) is passed over, and the wait goes
on: whoever can guess must not be able to fail a check either.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from haman.errors import BadPacket
from haman.model.checks import DnsProbe
from haman.printable import printable
from haman.probes.datagram import DatagramProber
from haman.probes.outcome import Outcome
from haman.probes.stream import StreamProber
from haman.wire import dns, rdata
from haman.wire.dns import Head, Refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.question import Question

IDS = 32
"""Random ids that are fetched from the kernel at once: a system call each would be a tenth of the check."""

RECORDS = 4
"""Answers that are told when others were expected."""

LETTERS = 80
"""Of each of them, at most."""

ODD = 64
"""Messages over one connection that answer something else: who says as many will not come to the point."""

UNPACKED = 65535
"""Letters that compressed names may add to the answers of one message, as many as it can have bytes. It has room for
thousands of names of 255 bytes each, which take seconds to write out."""


class Examiner:
    """What both transports know: the query, and what makes an answer a good one."""

    def __init__(self, probe: DnsProbe) -> None:
        self.probe = probe
        self._question = dns.question(probe.name, probe.type, probe.class_)
        self._query = dns.query(self._question, recursion=probe.recursion)
        self._identifier = 0
        self._random = b""

    def query(self) -> bytes:
        """With a new random id."""
        if not self._random:
            self._random = os.urandom(2 * IDS)
        identifier, self._random = self._random[:2], self._random[2:]
        self._identifier = int.from_bytes(identifier, "big")
        return identifier + self._query

    def head(self, packet: bytes) -> Head | Refusal:
        return dns.head(packet, self._identifier, self._question)

    def judge(self, packet: bytes, head: Head) -> tuple[Outcome, str]:
        """Outcome and detail of the answer to the last query."""
        probe = self.probe
        if head.rcode not in probe.rcodes:
            return Outcome.BAD_RCODE, rcode_name(head.rcode)
        if not probe.answers and probe.serial is None:
            return Outcome.GOOD_ANSWER, "" if head.rcode == dns.Rcode.NOERROR else rcode_name(head.rcode)
        try:
            found = [each for each in dns.records(packet, head) if each.type == probe.type]
            if probe.serial is not None:
                return self._serial(packet, head, found, probe.serial)
            said = list(_shown(packet, found))
        except BadPacket as bad:
            return Outcome.BAD_MESSAGE, str(bad.reason.value)
        missing = [answer for answer in probe.answers if answer not in said]
        if not missing:
            return Outcome.GOOD_ANSWER, ""
        if head.truncated:
            return Outcome.TRUNCATED, f"{missing[0]} is not in what there was room for"
        more = f" and {len(said) - RECORDS} more" if len(said) > RECORDS else ""
        told = ", ".join(map(_told, said[:RECORDS])) or "no records"
        return Outcome.WRONG_ANSWER, f"{missing[0]} is missing among {told}{more}"

    def _serial(self, packet: bytes, head: Head, found: list[dns.Record], minimum: int) -> tuple[Outcome, str]:
        if not found:
            return (Outcome.TRUNCATED if head.truncated else Outcome.WRONG_ANSWER), "there is no SOA record"
        serial = rdata.serial(packet, found[0])
        if rdata.reached(serial, minimum):
            return Outcome.GOOD_ANSWER, f"serial {serial}"
        return Outcome.OLD_SERIAL, f"{serial}, at least {minimum} is expected"


def _shown(packet: bytes, found: list[dns.Record]) -> Iterator[str]:
    """Raises BadPacket."""
    room = UNPACKED
    for record in found:
        text = rdata.shown(packet, record)
        room -= max(0, len(text) - 4 * (record.end - record.start))  # a byte that is no letter is written as \255
        if room < 0:
            raise BadPacket(dns.Reason.NAMES)
        yield text


def _told(text: str) -> str:
    """For people and the log: the server may have written anything."""
    shown = printable(text[:LETTERS])
    return f"{shown}..." if len(text) > LETTERS else shown


class DnsProber(DatagramProber):
    """Over UDP; a truncated answer is asked for again over TCP if that is wanted, and a good one if both are, within
    the same timeout."""

    largest = 65535

    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert isinstance(question.probe, DnsProbe)
        self._examiner = Examiner(question.probe)
        over_tcp = question.probe.tcp_fallback or question.probe.both
        self._again = DnsStreamProber(equipment, question, self._told) if over_tcp else None

    def payload(self) -> bytes:
        return self._examiner.query()

    def answered(self, data: bytes) -> None:
        head = self._examiner.head(data)
        if isinstance(head, Refusal):
            self.note(head.value)
            return
        outcome, detail = self._examiner.judge(data, head)
        more = head.truncated or (self._examiner.probe.both and outcome is Outcome.GOOD_ANSWER)
        if more and self._again is not None:
            super().release()
            self._again.start()
        else:
            self.finish(outcome, detail)

    def release(self) -> None:
        super().release()
        if self._again is not None:
            self._again.abandon()

    def silence(self) -> tuple[Outcome, str]:
        if self._again is not None and self._socket is None:
            outcome, detail = self._again.silence()
            return outcome, detail or "over TCP, after an answer over UDP"
        return super().silence()

    def _told(self, result: Result) -> None:
        """What came of it over TCP: its time began later than ours, and ours counts."""
        self.finish(result.outcome, f"over TCP: {result.detail}" if result.detail else "over TCP")


class DnsStreamProber(StreamProber):
    """Over TCP, each message after its length in two bytes (RFC 7766)."""

    def __init__(self, equipment: Equipment, question: Question, done: Callable[[Result], None]) -> None:
        super().__init__(equipment, question, done)
        assert isinstance(question.probe, DnsProbe)
        self._examiner = Examiner(question.probe)
        self._unsent = b""
        self._read = b""
        self._odd = ""
        self._passed_over = 0

    def connected(self, sock: socket.SocketType) -> None:
        query = self._examiner.query()
        self._unsent = struct.pack("!H", len(query)) + query
        self._read = b""
        self._odd = ""
        self._passed_over = 0
        self.writable(sock)

    def writable(self, sock: socket.SocketType) -> None:
        self._unsent = self._unsent[sock.send(self._unsent) :]
        if self._unsent:
            self.await_room(sock)
        else:
            self.await_answer(sock)

    def readable(self, sock: socket.SocketType) -> None:
        data = sock.recv(65536)
        if not data:
            self.finish(Outcome.CLOSED, f"after {len(self._read)} bytes")
            return
        self._read += data
        while len(self._read) >= 2:
            end = 2 + int.from_bytes(self._read[:2], "big")
            if len(self._read) < end:
                break
            packet, self._read = self._read[2:end], self._read[end:]
            head = self._examiner.head(packet)
            if not isinstance(head, Refusal):
                self.finish(*self._examiner.judge(packet, head))
                return
            self._odd = f"passed over: an answer {head.value}"
            self._passed_over += 1
            if self._passed_over > ODD:
                self.finish(Outcome.BAD_MESSAGE, f"more than {ODD} answers passed over, the last one {head.value}")
                return
        self.await_answer(sock)

    def silence(self) -> tuple[Outcome, str]:
        return super().silence()[0], self._odd


def rcode_name(rcode: int) -> str:
    try:
        return dns.Rcode(rcode).name.lower()
    except ValueError:
        return f"rcode {rcode}"
