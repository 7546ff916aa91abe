"""Questions from outside to inside and back: the callers' end, the switchboard, the exchange, over a plain socket pair
in place of a machine's line."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from haman.errors import BadFrame, LabError
from haman.lab.box.calls import Exchange, Hangup, Line
from haman.lab.box.client import Call, NoLab
from haman.lab.box.folder import Folder
from haman.lab.box.frames import WINDOW, Frame, Kind, Reader, pack
from haman.lab.box.switchboard import Switchboard
from haman.lab.waiting import until

PATIENCE = 30.0


class Gauge:
    """What handlers saw."""

    def __init__(self):
        self.sent = 0
        self.gone = threading.Event()


@pytest.fixture
def gauge():
    return Gauge()


@pytest.fixture
def folder(tmp_path, gauge):
    """Where a whole line is listened at."""

    def refuse(_call, _channel):
        raise LabError("not like this")

    def break_(_call, _channel):
        raise ZeroDivisionError

    def flood(call, channel):
        try:
            for _ in range(call["pieces"]):
                channel.send(Kind.OUT, b"x" * 1024)
                gauge.sent += 1024
        except Hangup:
            gauge.gone.set()
            raise
        return "all"

    def echo(_call, channel):
        while data := channel.read():
            channel.send(Kind.ERR, data)
            channel.taken(len(data))
        return "over"

    def count(_call, channel):
        for number in range(3):
            channel.say(number)
        return {"counted": 3}

    folder = Folder(tmp_path / "lab")
    assert folder.claim()
    ours, theirs = socket.socketpair()
    exchange = Exchange(
        Line(str(theirs.fileno())),
        {"count": count, "refuse": refuse, "break": break_, "flood": flood, "echo": echo},
    )
    listener = folder.listen()
    switchboard = Switchboard(listener, ours)
    threads = [threading.Thread(target=run, daemon=True) for run in (exchange.run, switchboard.run)]
    for thread in threads:
        thread.start()
    yield folder
    switchboard.close()
    exchange.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    for each in (listener, ours, theirs):
        each.close()
    folder.release()


def call(folder, question, **options):
    return Call({"ask": question, **options.pop("with_", {})}, folder=folder, patience=PATIENCE, **options)


def test_a_question_is_answered_and_what_is_said_on_the_way_comes_before(folder):
    said = []
    with call(folder, "count", said=said.append) as asked:
        assert asked.answer() == {"counted": 3}
    assert said == [0, 1, 2]


@pytest.mark.parametrize(
    ("question", "words"),
    [("refuse", "not like this"), ("break", "ZeroDivisionError"), ("juggle", "nothing here answers juggle")],
)
def test_what_goes_wrong_inside_is_the_answer(folder, question, words):
    with call(folder, question) as asked, pytest.raises(LabError, match=words):
        asked.answer()


def test_data_comes_whole_however_much(folder):
    got = []
    with call(folder, "flood", with_={"pieces": 1000}, data=lambda kind, data: got.append((kind, len(data)))) as asked:
        assert asked.answer() == "all"
    assert sum(length for _, length in got) == 1000 * 1024
    assert {kind for kind, _ in got} == {Kind.OUT}


def test_who_does_not_read_holds_up_himself_alone(folder, gauge):
    with call(folder, "flood", with_={"pieces": 1000}):
        until("the window to be full", lambda: gauge.sent >= WINDOW - 8192, PATIENCE)
        with call(folder, "count") as other:
            assert other.answer() == {"counted": 3}
        assert gauge.sent <= WINDOW
    assert gauge.gone.wait(PATIENCE), "a caller who hangs up is noticed"


def test_what_the_caller_sends_arrives_in_order_and_its_end_too(folder):
    got = []
    with call(folder, "echo", data=lambda kind, data: got.append(data)) as asked:
        for number in range(20):
            asked.send(Kind.IN, b"%d " % number)
        asked.send(Kind.IN, b"")
        assert asked.answer() == "over"
    assert b"".join(got).split() == [b"%d" % number for number in range(20)]


def test_many_ask_at_once(folder):
    calls = [call(folder, "count") for _ in range(20)]
    assert [each.answer() for each in calls] == [{"counted": 3}] * 20
    for each in calls:
        each.__exit__(None, None, None)


def test_garbage_from_a_caller_is_his_end_alone(folder):
    with folder.connect() as stranger:
        stranger.settimeout(PATIENCE)
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(1) == b""
    with call(folder, "count") as asked:
        assert asked.answer() == {"counted": 3}


def test_frames_come_in_any_pieces():
    stream = pack(7, Kind.OUT, b"hello") + pack(8, Kind.IN) + pack(7, Kind.END, b"{}")
    reader = Reader()
    found = [frame for byte in stream for frame in reader.feed(bytes([byte]))]
    assert found == [Frame(7, Kind.OUT, b"hello"), Frame(8, Kind.IN, b""), Frame(7, Kind.END, b"{}")]


@pytest.mark.parametrize("data", [b"\0\0\0\1\x63\0\0\0\0", b"\0\0\0\1\1\xff\0\0\0"])
def test_a_frame_that_cannot_be_is_refused(data):
    with pytest.raises(BadFrame):
        list(Reader().feed(data))


def test_where_no_cluster_is_it_says_so(tmp_path):
    with pytest.raises(NoLab, match="haman lab up FILE"):
        Call({"ask": "count"}, folder=Folder(tmp_path / "none"))


def test_where_one_died_it_says_why(tmp_path):
    folder = Folder(tmp_path / "lab")
    folder.claim()
    (folder.path / "ended").write_text("the machine died: Kernel panic\n")
    folder.release()
    with pytest.raises(NoLab, match="Kernel panic\nhaman lab down"):
        Call({"ask": "count"}, folder=folder)


def test_a_second_claim_is_refused_and_what_a_dead_one_left_is_removed(tmp_path):
    first, second = Folder(tmp_path / "lab"), Folder(tmp_path / "lab")
    assert first.claim()
    (first.path / "logs").mkdir()
    (first.path / "order.json").write_text("{}")
    assert not second.claim()
    assert second.lives()
    first.release()
    assert not second.lives()
    assert second.claim()
    assert os.listdir(second.path) == ["lock"]
    second.release()


def test_a_folder_of_somebody_elses_is_not_touched(tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(LabError, match="not a folder of yours"):
        Folder(tmp_path / "lab").claim()
    with pytest.raises(LabError, match="not a folder of yours"):
        Folder(tmp_path / "lab").remove()


def test_a_long_way_to_the_folder_is_no_hindrance(tmp_path):
    folder = Folder(tmp_path / ("x" * 120) / "lab")
    assert folder.claim()
    with folder.listen() as listener, folder.connect():
        listener.settimeout(PATIENCE)
        listener.accept()[0].close()
    folder.release()
