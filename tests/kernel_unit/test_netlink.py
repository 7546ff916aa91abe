"""The transport: framing and attributes byte by byte, conversations with this machine's own kernel."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.netlink import (
    NETLINK_GENERIC,
    NETLINK_ROUTE,
    DumpInterrupted,
    Netlink,
    Request,
    attribute,
    attributes,
    family_number,
    generic,
    messages,
    nested,
)

RTM_GETADDR = 22
ALL_ADDRESSES = Request(RTM_GETADDR, 0, bytes(8))
NOWHERE = Request(
    20, 0x600, struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, 0x7FFFFFFF) + attribute(2, b"\xc0\x00\x02\x01")
)
"""RTM_NEWADDR for a device that no machine has."""


@pytest.fixture
def route():
    netlink = Netlink(NETLINK_ROUTE)
    yield netlink
    netlink.close()


# -- bytes -------------------------------------------------------------------------------------------------


def test_an_attribute_is_padded_and_its_length_is_not() -> None:
    assert attribute(6, b"rr\0") == struct.pack("=HH", 7, 6) + b"rr\0\0"
    assert attribute(1, b"") == struct.pack("=HH", 4, 1)


def test_a_nested_attribute_says_so() -> None:
    assert nested(2, attribute(4, b"abcd")) == struct.pack("=HHHH", 12, 0x8002, 8, 4) + b"abcd"


def test_attributes_are_found_by_kind() -> None:
    data = b"----" + nested(1, attribute(7, b"xyz")) + attribute(5, b"abcd")
    found = attributes(data, 4, len(data))
    assert {kind: data[slice(*span)] for kind, span in found.items()} == {
        1: attribute(7, b"xyz"),
        5: b"abcd",
    }


@pytest.mark.parametrize("rest", [b"\x01", struct.pack("=HH", 0, 9), struct.pack("=HH", 3, 9)])
def test_what_is_no_attribute_ends_the_search(rest: bytes) -> None:
    data = attribute(5, b"abcd") + rest
    assert list(attributes(data, 0, len(data))) == [5]


def test_messages_of_a_datagram() -> None:
    data = struct.pack("=IHHII", 17, 23, 2, 9, 0) + b"a\0\0\0" + struct.pack("=IHHII", 20, 3, 2, 9, 0) + bytes(4)
    assert messages(data, len(data)) == [(23, 2, 9, 16, 17), (3, 2, 9, 36, 40)]


@pytest.mark.parametrize("rest", [b"short", struct.pack("=IHHII", 15, 1, 0, 0, 0)])
def test_what_is_no_message_ends_the_datagram(rest: bytes) -> None:
    data = struct.pack("=IHHII", 16, 23, 2, 9, 0) + rest
    assert len(messages(data, len(data))) == 1


# -- conversations -----------------------------------------------------------------------------------------


def count(netlink: Netlink) -> int:
    return sum(len(spans) for _, spans in netlink.dump(ALL_ADDRESSES))


def test_a_dump_has_loopback_in_it(route: Netlink) -> None:
    seen = [bytes(buffer[start:end]) for buffer, spans in route.dump(ALL_ADDRESSES) for start, end in spans]
    assert any(b"\x7f\x00\x00\x01" in one for one in seen)


def test_a_dump_left_early_does_not_disturb_the_next(route: Netlink) -> None:
    whole = count(route)
    left = route.dump(ALL_ADDRESSES)
    next(left)
    left.close()
    assert count(route) == whole


def test_every_refusal_has_the_index_of_its_request(route: Netlink) -> None:
    refused = route.execute([NOWHERE] * 7)
    assert set(refused) == set(range(7))
    assert set(refused.values()) <= {errno.ENODEV, errno.EPERM}  # EPERM: tests without root


def test_a_full_batch_of_refusals_arrives(route: Netlink) -> None:
    assert len(route.execute([NOWHERE] * route.batch)) == route.batch


def test_nothing_to_do_is_done(route: Netlink) -> None:
    assert route.execute([]) == {}


def test_a_refused_question_carries_its_errno(route: Netlink) -> None:
    with pytest.raises(KernelRefused) as refusal:
        route.ask(NOWHERE)
    assert refusal.value.errno in (errno.ENODEV, errno.EPERM)


def test_a_refused_dump_carries_its_errno(route: Netlink) -> None:
    with pytest.raises(KernelRefused) as refusal:
        list(route.dump(Request(0xFFF0, 0, bytes(8))))
    assert refusal.value.errno == errno.EOPNOTSUPP
    assert count(route)


def test_families_have_numbers() -> None:
    netlink = Netlink(NETLINK_GENERIC)
    assert family_number(netlink, "nlctrl") == 16  # GENL_ID_CTRL
    with pytest.raises(KernelUnavailable, match="no netlink family NO_SUCH_FAMILY: No such file or directory"):
        family_number(netlink, "NO_SUCH_FAMILY")
    netlink.close()


def test_no_sockets_of_that_protocol() -> None:
    with pytest.raises(KernelUnavailable, match="protocol 31"):
        Netlink(31)


# -- a kernel that answers as told -------------------------------------------------------------------------


class Scripted:
    """In place of the socket: each entry of `answers` is one datagram, or the error that reading it gives."""

    def __init__(self, *answers: bytes | OSError) -> None:
        self.sent: list[bytes] = []
        self._answers = list(answers)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv_into(self, buffer: bytearray) -> int:
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        buffer[: len(answer)] = answer
        return len(answer)

    def close(self) -> None:
        pass


def scripted(route: Netlink, *answers: bytes | OSError) -> Scripted:
    script = Scripted(*answers)
    route._socket.close()
    route._socket = script  # type: ignore[assignment]
    return script


def message(kind: int, number: int, body: bytes = bytes(4), flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0) + body


def test_answers_to_older_questions_are_passed_over(route: Netlink) -> None:
    scripted(route, message(2, 99, struct.pack("=i", -5)), message(24, 1, b"mine"))
    assert route.ask(ALL_ADDRESSES) == b"mine"


def test_a_dump_passes_over_older_answers_too(route: Netlink) -> None:
    scripted(route, message(20, 99, b"old!") + message(3, 99) + message(20, 1, b"mine"), message(3, 1))
    [(buffer, [(start, end)])] = route.dump(ALL_ADDRESSES)
    assert buffer[start:end] == b"mine"


def test_one_acknowledgement_ends_a_batch(route: Netlink) -> None:
    script = scripted(route, message(2, 2, struct.pack("=i", -22)), message(2, 3))
    assert route.execute([Request(20, 0x600, b"aaaa"), Request(21, 0, b"bb\0\0")]) == {1: 22}
    [sent] = script.sent
    assert [struct.unpack_from("=IHHI", sent, at) for at in (0, 20, 40)] == [
        (20, 20, 0x601, 1),
        (20, 21, 0x001, 2),
        (16, 1, 0x005, 3),  # NLMSG_NOOP
    ]


def test_a_dump_that_changed_meanwhile_says_so_at_its_end(route: Netlink) -> None:
    scripted(route, message(20, 1, b"this", flags=0x12), message(3, 1))
    dump = route.dump(ALL_ADDRESSES)
    buffer, [(start, end)] = next(dump)
    assert buffer[start:end] == b"this"
    with pytest.raises(DumpInterrupted):
        next(dump)


def test_no_answer_is_a_refusal_and_the_next_question_has_a_new_socket(route: Netlink) -> None:
    scripted(route, OSError(errno.EAGAIN, ""))
    with pytest.raises(KernelRefused) as refusal:
        route.execute([NOWHERE])
    assert refusal.value.errno == errno.ETIMEDOUT
    assert count(route)


def test_lost_answers_are_a_refusal(route: Netlink) -> None:
    scripted(route, message(20, 1, b"this"), OSError(errno.ENOBUFS, ""))
    with pytest.raises(KernelRefused) as refusal:
        list(route.dump(ALL_ADDRESSES))
    assert refusal.value.errno == errno.ENOBUFS


def test_a_generic_request() -> None:
    assert generic(23, 5, 1, b"abcd") == (23, 0, bytes([5, 1, 0, 0]) + b"abcd")
