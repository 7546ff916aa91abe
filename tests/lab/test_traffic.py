"""The parts of the clients that can be tried without a network."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest

from haman.lab.traffic import arp_prober, download_server, recording, tcp_client, told_server

VIP, OWN = socket.inet_aton("10.0.0.100"), socket.inet_aton("10.0.0.253")
WATCH, LB1 = bytes.fromhex("0200000000fd"), bytes.fromhex("020000000001")
QUESTION = bytes.fromhex(
    "ffffffffffff 0200000000fd 0806 0001 0800 06 04 0001 0200000000fd 0a0000fd 000000000000 0a000064".replace(" ", "")
)
ANSWER = bytes.fromhex(
    "0200000000fd 020000000001 0806 0001 0800 06 04 0002 020000000001 0a000064 0200000000fd 0a0000fd".replace(" ", "")
)
ANNOUNCEMENT = bytes.fromhex(
    "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000064 ffffffffffff 0a000064".replace(" ", "")
)


def test_the_question_is_rfc_826s():
    assert arp_prober.question(WATCH, OWN, VIP) == QUESTION


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (ANSWER, ("02:00:00:00:00:01", "answer")),
        (ANSWER + b"\0" * 18, ("02:00:00:00:00:01", "answer")),
        (ANNOUNCEMENT, ("02:00:00:00:00:01", "announcement")),
        (QUESTION, None),
        (ANSWER[:40], None),
    ],
)
def test_what_is_heard(frame, found):
    assert arp_prober.heard(frame, VIP) == found


def test_chunks_are_numbered_and_of_one_size():
    first, late = download_server.chunk(0), download_server.chunk(123456)
    assert (len(first), len(late)) == (512, 512)
    assert (first[:10], late[:10], late[-1:]) == (b"0000000000", b"0000123456", b"\n")


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("0d0a0d0a000d0a515549540a 21 12 000c c0a80001 c0a8000b dc04 01bb", ("192.168.0.1", 56324, b"hello")),
        (
            "0d0a0d0a000d0a515549540a 21 22 0024"
            "20010db8000000000000000000000001 20010db8000000000000000000000002 ffff 0001",
            ("2001:db8::1", 65535, b"hello"),
        ),
        # With a TLV behind the addresses (2.2.1 of HAProxy's doc/proxy-protocol.txt), which is passed over.
        ("0d0a0d0a000d0a515549540a 21 12 0010 c0a80001 c0a8000b dc04 01bb 04000100", ("192.168.0.1", 56324, b"hello")),
        ("0d0a0d0a000d0a515549540a 21 11 000c c0a80001 c0a8000b dc04 01bb", None),  # of a TCP connection
        ("0d0a0d0a000d0a515549540a 21 12 00ff c0a80001 c0a8000b dc04 01bb", None),
        ("0d0a0d0a000d0a515549540b 21 12 000c c0a80001 c0a8000b dc04 01bb", None),
        ("", None),
    ],
)
def test_a_server_behind_a_relay_believes_the_whole_header_or_nothing(head, found):
    assert told_server.told(bytes.fromhex(head) + b"hello") == found


def test_the_pace_skips_what_it_slept_through():
    pace = recording.Pace(1000)
    first = pace.wait()
    time.sleep(0.05)
    second = pace.wait()
    assert first >= 0
    assert second >= first + 50
    assert time.monotonic() >= pace.started + second * pace.interval


def test_a_recording_has_head_marks_and_tail(tmp_path):
    recorder = recording.Recorder(str(tmp_path / "out"), streams=20)
    recorder.add("[1,2]")
    recorder.flush(5.0, 4.5, dropped=3)
    recorder.add("[3,4]")
    recorder.end(begun=7)
    head, first, mark, last, covered, tail = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert head["streams"] == 20
    assert (first, mark, last) == ([1, 2], {"covered": 4.5, "dropped": 3}, [3, 4])
    assert covered["covered"] <= tail["ended"]
    assert tail["begun"] == 7


def test_own_ports_are_used_once_each_and_those_of_others_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as other, contextlib.ExitStack() as stack:
        other.bind(("", 0))
        taken = other.getsockname()[1]
        client = tcp_client.Client("127.0.0.1", [server.getsockname()[1]], think=0.0, patience=1.0, own=taken)
        for _ in range(3):
            client.begin(0.0)
        accepted = [stack.enter_context(server.accept()[0]) for _ in range(3)]
        ports = [each.getpeername()[1] for each in accepted]
        for connection in list(client.open.values()):
            client.end(connection, 0.0, "ok")
    assert taken < ports[0] < ports[1] < ports[2]
