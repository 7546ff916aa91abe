"""TCP through a relay's process: bytes, ends, resets, limits, and the bad manners of both sides."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import struct
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from haman.model.relay import Proxy, Terms
from haman.model.services import Protocol
from haman.relay import orders, outward, tcp
from haman.relay.account import Account
from haman.relay.poll import Poll
from haman.relay.pool import Pool, Server
from haman.relay.tcp import Session
from haman.relay.way import Way
from haman.relay.worker import Worker
from tests.relay.support import WAY, Relay, accepted, all_of, is_reset, listening, port, relay, until

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = os.urandom(1 << 20) * 8


def poured(made: Relay, sock: socket.socket) -> int:
    """Sent until every buffer on the way is full; returns the bytes that wait in the relay then."""
    sock.setblocking(False)

    def held() -> int:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(BIG)
        return int(made.figures()["held"])

    return int(until(held))


def test_both_directions_at_once_whole_and_in_order() -> None:
    with listening() as server, relay({"e": port(server)}) as made, made.client() as client:
        there = accepted(server)
        with there:
            received: list[bytes] = []
            threads = [
                threading.Thread(target=lambda: (there.sendall(BIG), there.shutdown(socket.SHUT_WR))),
                threading.Thread(target=lambda: (client.sendall(BIG[::-1]), client.shutdown(socket.SHUT_WR))),
                threading.Thread(target=lambda: received.append(all_of(there))),
            ]
            for thread in threads:
                thread.start()
            assert all_of(client) == BIG
            for thread in threads:
                thread.join()
            assert received == [BIG[::-1]]
        figures = until(lambda: (now := made.figures())["sessions"] == 0 and now)
        assert (figures["bytes_up"], figures["bytes_down"], figures["held"]) == (8 << 20, 8 << 20, 0)
        assert figures["total"] == 1


def test_the_end_of_one_direction_is_handed_on_and_the_other_goes_on() -> None:
    with listening() as server, relay({"e": port(server)}) as made, made.client() as client, accepted(server) as there:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert all_of(there) == b"question"
        there.sendall(b"a long answer")
        assert client.recv(100) == b"a long answer"
        assert made.figures()["sessions"] == 1
        there.close()
        assert client.recv(100) == b""
        until(lambda: made.figures()["sessions"] == 0)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_reset_is_handed_on_as_a_reset(side: str) -> None:
    with listening() as server, relay({"e": port(server)}) as made, made.client() as client, accepted(server) as there:
        client.sendall(b"x")
        assert there.recv(1) == b"x"
        ends, feels = (client, there) if side == "client" else (there, client)
        ends.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ends.close()
        assert is_reset(feels)
        until(lambda: made.figures()["sessions"] == 0)
        assert made.refused("reset") == (1 if side == "server" else 0)


@pytest.mark.parametrize("version", [Proxy.V1, Proxy.V2])
def test_the_server_is_told_the_client_before_its_first_byte(version: Proxy) -> None:
    with listening() as server, relay({"e": port(server)}, proxy=version) as made, made.client() as client:
        source = client.getsockname()[1]
        client.sendall(b"GET")
        client.shutdown(socket.SHUT_WR)
        with accepted(server) as there:
            told = all_of(there)
        called = made.place[1]
        if version is Proxy.V1:
            assert told == f"PROXY TCP4 127.0.0.1 127.0.0.1 {source} {called}\r\nGET".encode()
        else:
            expected = "0d0a0d0a000d0a515549540a 21 11 000c 7f000001 7f000001"
            assert told == bytes.fromhex(expected) + struct.pack("!HH", source, called) + b"GET"


def test_a_server_that_speaks_first_is_heard() -> None:
    with (
        listening() as server,
        relay({"e": port(server)}, proxy=Proxy.V1) as made,
        made.client() as client,
        accepted(server) as there,
    ):
        there.sendall(b"220 mail")
        assert client.recv(100) == b"220 mail"


def test_a_server_that_refuses_is_passed_over_and_one_that_is_alone_is_a_reset() -> None:
    with listening() as server, listening() as other:
        closed = port(other)
        other.close()
        with relay({"bad": closed, "good": port(server)}) as made:
            for _ in range(6):
                with made.client() as client, accepted(server) as there:
                    there.sendall(b"good")
                    assert client.recv(4) == b"good"
        with relay({"bad": closed}) as made:
            assert made.refuses()
            assert made.refused("unreachable") == 1
            assert made.words == [f"relay {WAY}: no server there took it"]


def test_one_session_too_many_is_reset_and_the_others_feel_nothing() -> None:
    with listening() as server, relay({"e": port(server)}, sessions=3) as made:
        clients = [made.client() for _ in range(3)]
        there = [accepted(server) for _ in range(3)]
        for _ in range(5):
            assert made.refuses()
        assert made.refused("sessions") == 5
        assert made.words == [f"relay {WAY}: there are as many as `sessions` allows"]  # five refusals, one line
        for client, end in zip(clients, there, strict=True):
            client.sendall(b"x")
            assert end.recv(1) == b"x"
        clients.pop().close()
        there.pop().close()
        until(lambda: made.figures()["sessions"] == 2)
        with made.client() as again, accepted(server) as end:
            end.sendall(b"in")
            assert again.recv(2) == b"in"
        for each in (*clients, *there):
            each.close()


def test_what_nobody_reads_is_bounded_and_others_go_on() -> None:
    """Clients that ask for much and never read."""
    with listening() as server, relay({"e": port(server)}, memory=1 << 20, sessions=100) as made:
        made.figures()
        before = made.memory()
        greedy = [made.client() for _ in range(60)]
        stop = threading.Event()

        def pour(sock: socket.socket) -> None:
            sock.settimeout(0.05)
            while not stop.is_set():
                try:
                    sock.send(BIG)
                except TimeoutError:
                    continue
                except OSError:
                    return

        there = [accepted(server) for _ in greedy]
        threads = [threading.Thread(target=pour, args=(each,)) for each in there]
        for thread in threads:
            thread.start()
        until(lambda: made.figures()["held"] > 400_000)
        # Half the memory in chunks, a lean chunk for each direction of each session, one chunk.
        most = (1 << 19) + 2 * 60 * 4096 + 65536
        assert max(made.figures()["held"] for _ in range(3)) <= most
        assert made.memory() - before < (8 << 20)
        with made.client() as polite, accepted(server) as end:
            end.sendall(b"hello")
            assert polite.recv(5) == b"hello"
        stop.set()
        for each in (*greedy, *there):
            each.close()
        for thread in threads:
            thread.join()
        until(lambda: made.figures()["sessions"] == 0)
        assert made.figures()["held"] == 0


def test_full_memory_refuses_who_comes() -> None:
    with listening() as server, relay({"e": port(server)}, memory=1 << 20, sessions=1000) as made:
        made.open(Terms(memory=1, sessions=1000), again=True)
        with made.client() as client, accepted(server) as there:
            client.sendall(b"x")
            assert there.recv(1) == b"x"
            poured(made, there)
            assert made.refuses()
            assert made.refused("memory") == 1


def test_who_says_nothing_for_too_long_is_reset_on_both_sides() -> None:
    """A server that accepts and hangs, a client that waits for it."""
    with listening() as server, relay({"e": port(server)}, idle=3.0) as made:
        with made.client() as client, accepted(server) as there:
            client.sendall(b"anybody?")
            assert is_reset(client)
            assert is_reset(there)
        assert made.refused("idle") == 1
        assert made.figures()["sessions"] == 0


def test_a_server_that_never_accepts_costs_connect_and_no_more() -> None:
    with listening(backlog=0) as full:
        filling = []
        for _ in range(4):  # until its queue is full and SYNs are dropped
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
            filling.append(sock)
        with relay({"e": port(full)}, connect=0.3) as made:
            assert made.refuses()
            assert made.refused("unreachable") == 1
        for sock in filling:
            sock.close()


def test_port_scans_leave_nothing() -> None:
    """Connections that are reset at once."""
    with listening() as server, relay({"e": port(server)}) as made:
        made.figures()
        before = made.descriptors()
        stop = threading.Event()

        def serve() -> None:
            server.settimeout(0.05)
            while not stop.is_set():
                try:
                    server.accept()[0].close()
                except OSError:
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        for _ in range(300):
            with made.client() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        until(lambda: made.descriptors() == before)
        stop.set()
        thread.join()
        assert made.figures()["sessions"] == 0


def test_sessions_of_a_site_that_serves_no_more_are_drained() -> None:
    with listening() as server, relay({"e": port(server)}, drain=6.0) as made:
        with made.client() as stays, accepted(server) as there:
            with made.client() as ends, accepted(server) as end:
                made.weigh({"e": (0, True)})
                made.figures()
                ends.sendall(b"one more")
                assert end.recv(8) == b"one more"
            stays.sendall(b"x")
            assert there.recv(1) == b"x"
            assert is_reset(stays)
        assert made.refused("drained") == 1


def test_a_site_that_serves_again_keeps_its_sessions() -> None:
    with listening() as server, relay({"e": port(server)}, drain=2.0) as made:
        with made.client() as client, accepted(server) as there:
            made.weigh({"e": (0, True)})
            made.weigh({"e": (1, True)})
            for _ in range(4):
                made.figures()  # one each second
            client.sendall(b"x")
            assert there.recv(1) == b"x"
        assert made.refused("drained") == 0


def test_sessions_of_a_server_that_is_down_are_reset_at_once() -> None:
    with listening() as server, listening() as other, relay({"e": port(server), "f": port(other)}) as made:
        with made.client() as first, accepted(server) as there, made.client() as second, accepted(other) as end:
            first.sendall(b"x")
            assert there.recv(1) == b"x"
            made.weigh({"e": (0, False), "f": (1, True)})
            assert is_reset(first)
            second.sendall(b"x")
            assert end.recv(1) == b"x"
        assert made.refused("server_down") == 1


def test_a_director_that_is_gone_leaves_its_sessions_to_end() -> None:
    with listening() as server:
        made = relay({"e": port(server)}, drain=30.0)
        with made as running, running.client() as client, accepted(server) as there:
            running.figures()
            running.link.close()
            client.sendall(b"still here")
            assert there.recv(10) == b"still here"
            with running.client() as more, accepted(server) as end:
                more.sendall(b"and new ones")
                assert end.recv(12) == b"and new ones"
            running.process.kill()
            running.process.wait()
            running.process.returncode = 0


@pytest.mark.parametrize("origin", ["127.0.0.1/32", "127.0.0.0/8"])
def test_a_backup_site_is_not_sent_its_own(origin: str) -> None:
    with listening() as server, relay({"e": port(server)}, origins=("203.0.113.10/32", origin)) as made:
        for _ in range(3):
            assert made.refuses()
        assert made.refused("circle") == 3
        assert made.figures()["total"] == 0
        assert made.words == [
            f"relay {WAY}: it comes from a backup site, which has no server either and would be sent its own"
        ]


def test_two_relays_before_each_other_end_what_goes_round() -> None:
    """Neither is told where the other's sessions come from, so the limit of sessions is what ends it: with a reset."""
    with listening() as server, relay({"e": port(server)}, sessions=20) as made:
        made.servers = {"itself": made.place[1]}
        made.open(Terms(sessions=20), again=True)
        made.weigh({"itself": (1, True)})
        made.figures()
        assert made.refuses()
        until(lambda: made.figures()["sessions"] == 0)
        assert made.figures()["total"] == 20
        assert made.refused("sessions") == 1


@pytest.mark.parametrize("version", [Proxy.V1, Proxy.V2])
def test_a_server_that_says_a_header_itself_is_not_believed(version: Proxy) -> None:
    """To the client it is bytes as any others; and one that wants none at all resets no more than its own session."""
    lie = b"PROXY TCP4 192.0.2.66 192.0.2.67 1 2\r\n" + bytes.fromhex("0d0a0d0a000d0a515549540a21110000") + b"\r\n\0"
    with (
        listening() as server,
        relay({"e": port(server)}, proxy=version) as made,
        made.client() as client,
        accepted(server) as there,
    ):
        there.sendall(lie)
        there.shutdown(socket.SHUT_WR)
        assert all_of(client) == lie
        client.close()
        with made.client() as other, accepted(server) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()  # the header unread
            assert is_reset(other)
        assert len(all_of(there)) > 20
        until(lambda: made.figures()["sessions"] == 0)
        # It depends on whether the relay has seen the connection before its end.
        assert made.refused("reset") + made.refused("unreachable") == 1


def test_a_server_that_answers_slowly_slows_its_own_session_alone() -> None:
    """One that reads a byte now and then, of a client that sends without end; beside it eight MiB go there and back."""
    with (
        listening() as server,
        relay({"e": port(server)}, memory=1 << 20) as made,
        made.client() as pours,
        accepted(server) as slow,
    ):
        before = poured(made, pours)
        with made.client() as brisk, accepted(server) as end:

            def echo() -> None:
                while some := end.recv(1 << 16):
                    assert len(slow.recv(1)) == 1
                    end.sendall(some)
                end.shutdown(socket.SHUT_WR)

            def ask() -> None:
                brisk.sendall(BIG)
                brisk.shutdown(socket.SHUT_WR)

            threads = [threading.Thread(target=each) for each in (echo, ask)]
            for thread in threads:
                thread.start()
            assert all_of(brisk) == BIG
            for thread in threads:
                thread.join()
        until(lambda: made.figures()["sessions"] == 1)
        assert made.figures()["held"] <= before + 65536


def test_sessions_come_from_the_source_that_is_wanted() -> None:
    with (
        listening() as server,
        listening() as other,
        relay({"a": port(server), "b": port(other)}, source="127.0.0.9") as made,
        made.client(),
        made.client(),
    ):
        for each in (server, other):
            there, (address, _) = each.accept()
            assert address == "127.0.0.9"
            there.close()


def test_a_source_that_is_not_here_is_told_as_that() -> None:
    with listening() as server, relay({"e": port(server)}, source="192.0.2.77") as made:
        assert made.refuses()
        assert (made.refused("source"), made.refused("ports")) == (1, 0)
        words = "the address that it is to come from (`source`) is not on this machine"
        assert made.words == [f"relay {WAY}: {words}"]


@pytest.mark.parametrize("reason", ["ports", "source", "unreachable"])
def test_whatever_keeps_it_from_one_server_it_tries_the_others(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(to: Server, kind: socket.SocketKind, options: Any) -> socket.socket:
        if to.name != "good":
            raise outward.NotConnected(reason)
        return outward.connected(to, kind, options)

    monkeypatch.setattr(tcp, "connected", connected)
    with listening() as front, listening() as server, begun(front, port(server), "bad", "good") as session:
        assert session.tried == ("bad", "good")
        assert not session.over
    with listening() as front, begun(front, 1, "bad", "worse") as session:
        assert session.over
        assert session.owner.account.refused == {reason: 1}


def test_what_is_wrong_here_is_told_before_what_is_wrong_there(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter(["unreachable", "ports", "unreachable"])

    def connected(*_: object) -> socket.socket:
        raise outward.NotConnected(next(found))

    monkeypatch.setattr(tcp, "connected", connected)
    with listening() as front, begun(front, 1, "a", "b", "c") as session:
        assert session.owner.account.refused == {"ports": 1}


def test_without_a_descriptor_no_other_server_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(*_: object) -> socket.socket:
        raise outward.NotConnected("descriptors")

    monkeypatch.setattr(tcp, "connected", connected)
    with listening() as front, begun(front, 1, "a", "b") as session:
        assert session.tried == ("a",)
        assert session.owner.account.refused == {"descriptors": 1}


def test_the_next_server_has_as_long_to_accept_as_the_one_that_refused_late() -> None:
    with listening() as front, listening() as server, begun(front, port(server), "slow", "next") as session:
        poll = session.owner.poll
        poll.now += 4.9
        assert session.server is not None
        session.failed(session.server)
        assert session.tried == ("slow", "next")
        assert session.seen == poll.now


@contextlib.contextmanager
def begun(front: socket.socket, there: int, *names: str) -> Iterator[Session]:
    """A session in this process; its servers, by these names, are all at one port, and tried in this order."""
    here = ip_address("127.0.0.1")
    pool = Pool(Server(name=name, address=here, port=there, weight=1, up=True) for name in names)
    poll = Poll()
    way: Way[Session] = Way(WAY, Protocol.TCP, here, poll, Account(Terms()), pool, print)
    with socket.socket() as client:
        client.connect(front.getsockname())
        sock, peer = front.accept()
        sock.setblocking(False)
        way.account.admit()
        session = Session(way, sock, peer, 80, poll.now)
        way.take(session)
        session.start()
        yield session
        session.end(None)
        poll.sweep()
    poll.close()


def test_a_session_that_has_more_to_do_waits_for_one_turn_whatever_happens() -> None:
    """And not for one more with each event: it would have many times what others have."""
    with listening() as front, listening() as server, socket.socket() as client:
        client.connect(front.getsockname())
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(BIG)
        account = Account(Terms(memory=1))
        account.held = 1  # chunks are small, so that there is more
        here = Server(name="e", address=ip_address("127.0.0.1"), port=port(server), weight=1, up=True)
        poll = Poll()
        pool = Pool([here])
        way: Way[Session] = Way(WAY, Protocol.TCP, ip_address("127.0.0.1"), poll, account, pool, print)
        sock, peer = front.accept()
        sock.setblocking(False)
        session = Session(way, sock, peer, 80, poll.now)
        way.take(session)
        session.start()
        with accepted(server):
            while not session.connected:
                poll.turn(0.1)
            turns: list[object] = []
            poll.again = turns.append  # type: ignore[method-assign,assignment]
            session.waiting = False
            for _ in range(3):
                session.run()
            assert len(turns) == 1
            session.end(None)
            poll.sweep()
        poll.close()


def test_what_a_server_says_before_its_reset_is_heard() -> None:
    """It answers a request that it does not read to the end."""
    with listening() as server, relay({"e": port(server)}) as made:
        for _ in range(10):
            with made.client() as client:
                with accepted(server) as there:
                    client.sendall(b"a request with a long body")
                    assert there.recv(1) == b"a"
                    there.sendall(b"413" * 1000)
                assert len(all_before_reset(client)) == 3000
        until(lambda: made.figures()["sessions"] == 0)


def all_before_reset(sock: socket.socket) -> bytes:
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(1 << 16):
            found += data
    return bytes(found)


def test_an_urgent_byte_is_a_byte_and_nothing_waits_behind_it() -> None:
    with listening() as server, relay({"e": port(server)}) as made:
        made.figures()
        with made.client() as client, accepted(server) as there:
            client.sendall(b"0")
            assert there.recv(1) == b"0"
            os.kill(made.process.pid, signal.SIGSTOP)  # all of it has come before it looks
            client.sendall(b"abc")
            client.send(b"X", socket.MSG_OOB)
            client.sendall(b"def")
            os.kill(made.process.pid, signal.SIGCONT)
            found = b""
            while len(found) < 7:
                found += there.recv(10)
            assert found == b"abcXdef"


def test_whoever_has_connected_before_a_front_is_closed_is_served() -> None:
    with listening() as server, relay({"e": port(server)}) as made:
        made.figures()
        made.socket.close()  # as that of a director that is gone
        os.kill(made.process.pid, signal.SIGSTOP)
        clients = [made.client() for _ in range(300)]
        made.send(orders.closed("web:80"))
        os.kill(made.process.pid, signal.SIGCONT)
        until(lambda: made.figures()["total"] == 300)
        for client in clients:
            with accepted(server) as there:
                there.sendall(b"x")
            assert client.recv(1) == b"x"
            client.close()


def test_a_front_that_is_closed_does_not_wait_longer_for_a_server_than_an_open_one() -> None:
    with listening() as full, listening() as server:
        full.listen(0)
        with socket.socket() as takes_its_place:
            takes_its_place.connect(full.getsockname())
            with relay({"full": port(full), "good": port(server)}, connect=1.0, drain=1000.0) as made:
                made.weigh({"full": (1000, True), "good": (1, True)})
                with made.client() as client:
                    until(lambda: made.figures()["sessions"] == 1)
                    made.send(orders.closed("web:80"))
                    with accepted(server) as there:
                        there.sendall(b"x")
                        assert client.recv(1) == b"x"


def test_between_two_orders_nobody_is_refused() -> None:
    """A reload adds a server, and the weights follow in an order of their own."""
    with listening() as server, relay({"e": port(server)}) as made:
        made.figures()
        made.servers = {"e": port(server), "f": port(server)}
        made.open(Terms(), again=True)
        made.figures()
        with made.client() as client, accepted(server) as there:
            there.sendall(b"x")
            assert client.recv(1) == b"x"
        assert made.refused("no_server") == 0


def test_who_comes_after_a_site_has_ceased_to_serve_is_drained_too() -> None:
    with listening() as server, relay({"e": port(server)}, drain=0.5) as made:
        made.weigh({"e": (0, True)})
        made.figures()
        with made.client() as client, accepted(server):
            assert is_reset(client)
        assert made.refused("drained") == 1


def test_an_order_has_a_descriptor_when_sessions_have_none() -> None:
    ours, theirs = orders.pair()
    worker = Worker(theirs)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ours, theirs, listening() as front:
        next_one = os.dup(0)
        os.close(next_one)
        way = orders.Way(WAY, Terms(), (), None)
        order = orders.opened(orders.Front("web:80", Protocol.TCP, ip_address("127.0.0.1"), port(front), (way,)))
        (part,) = orders.parts(order)
        socket.send_fds(ours, [part], [front.fileno()])
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, hard))
        try:
            worker.event(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert list(worker._doors) == ["web:80"]
        worker._close("web:80")
        worker._poll.sweep()
