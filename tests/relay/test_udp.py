"""UDP through a relay's process."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from haman.model.relay import Proxy, Terms
from haman.model.services import Protocol
from haman.relay import orders, outward, udp
from haman.relay.account import Account
from haman.relay.origins import Origins
from haman.relay.poll import Poll
from haman.relay.pool import Pool, Server
from haman.relay.udp import Flow, Gate
from haman.relay.way import Way
from tests.relay.support import WAY, bound, port, relay, until

LARGEST = 65507
"""RFC 768, RFC 791: 65535 bytes of a packet, less 20 and 8 of headers."""


@pytest.mark.parametrize("size", [0, 1, 1472, LARGEST])
def test_a_datagram_goes_there_and_back(size: int) -> None:
    with bound() as server, relay({"e": port(server)}, Protocol.UDP) as made, made.client() as client:
        client.send(b"q" * size)
        data, flow = server.recvfrom(65536)
        assert data == b"q" * size
        server.sendto(b"a" * size, flow)
        assert client.recv(65536) == b"a" * size


def test_each_client_has_a_flow_of_its_own_and_keeps_it() -> None:
    with bound() as server, relay({"e": port(server)}, Protocol.UDP) as made:
        clients = [made.client() for _ in range(20)]
        seen = []
        for round_ in range(2):
            for number, client in enumerate(clients):
                client.send(f"{number}".encode())
                data, flow = server.recvfrom(100)
                assert data == f"{number}".encode()
                server.sendto(data, flow)
                assert client.recv(100) == data
                seen.append(flow)
            assert len(set(seen)) == 20, round_
        assert made.figures()["sessions"] == 20
        for client in clients:
            client.close()


def test_every_datagram_tells_the_client() -> None:
    with bound() as server, relay({"e": port(server)}, Protocol.UDP, proxy=Proxy.V2) as made, made.client() as client:
        head = bytes.fromhex("0d0a0d0a000d0a515549540a 21 12 000c 7f000001 7f000001")
        head += struct.pack("!HH", client.getsockname()[1], made.place[1])
        for text in (b"one", b"two"):
            client.send(text)
            assert server.recv(1000) == head + text
        client.send(b"x" * LARGEST)  # has no room for the header
        client.send(b"three")
        assert server.recv(1000) == head + b"three"
        assert made.refused("too_large") == 1


def test_one_flow_too_many_is_dropped_and_told_once() -> None:
    with bound() as server, relay({"e": port(server)}, Protocol.UDP, sessions=2) as made:
        clients = [made.client() for _ in range(5)]
        for client in clients:
            client.send(b"x")
        until(lambda: made.refused("sessions") == 3)
        assert made.words == [f"relay {WAY}: there are as many as `sessions` allows"]
        _, flow = server.recvfrom(10)
        server.sendto(b"y", flow)
        assert clients[0].recv(10) == b"y"
        for client in clients:
            client.close()


def test_an_idle_flow_is_forgotten_and_begins_anew() -> None:
    with bound() as server, relay({"e": port(server)}, Protocol.UDP, idle=3.0) as made, made.client() as client:
        made.figures()
        before = made.descriptors()
        client.send(b"x")
        server.recv(1)
        until(lambda: (now := made.figures())["total"] == 1 and now["sessions"] == 0)
        until(lambda: made.descriptors() == before)
        client.send(b"y")
        _, flow = server.recvfrom(10)
        server.sendto(b"z", flow)
        assert client.recv(10) == b"z"
        assert made.refused("idle") == 0  # that is how flows end


def test_a_closed_port_ends_the_flow_and_the_next_one_chooses_anew() -> None:
    with bound() as server, bound() as other, relay({"a": port(other), "b": port(server)}, Protocol.UDP) as made:
        other.close()
        with made.client() as client:
            client.send(b"lost")
            until(lambda: made.refused("unreachable") == 1)
            made.weigh({"a": (0, False), "b": (1, True)})
            made.figures()
            client.send(b"found")
            assert server.recv(10) == b"found"


def test_a_server_that_is_down_gives_its_flows_away() -> None:
    with (
        bound() as first,
        bound() as second,
        relay({"a": port(first), "b": port(second)}, Protocol.UDP) as made,
        made.client() as client,
    ):
        client.send(b"1")
        assert first.recv(1) == b"1"
        made.weigh({"a": (0, False), "b": (1, True)})
        until(lambda: made.figures()["sessions"] == 0)
        client.send(b"2")
        assert second.recv(1) == b"2"


def test_answers_come_from_the_address_that_was_called() -> None:
    with (
        bound() as server,
        relay({"e": port(server)}, Protocol.UDP) as made,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(60)
        client.sendto(b"q", made.place)
        _, flow = server.recvfrom(10)
        server.sendto(b"a", flow)
        assert client.recvfrom(10) == (b"a", made.place)


def test_a_backup_site_is_not_sent_its_own() -> None:
    with (
        bound() as server,
        relay({"e": port(server)}, Protocol.UDP, origins=("127.0.0.0/8",)) as made,
        made.client() as client,
    ):
        client.send(b"round and round")
        until(lambda: made.refused("circle") == 1)
        assert made.figures()["total"] == 0


def test_flows_come_from_the_source_that_is_wanted() -> None:
    with (
        bound() as server,
        relay({"e": port(server)}, Protocol.UDP, source="127.0.0.9") as made,
        made.client() as client,
    ):
        client.send(b"q")
        _, (address, flow) = server.recvfrom(10)
        assert address == "127.0.0.9"
        server.sendto(b"a", (address, flow))
        assert client.recv(10) == b"a"


def test_a_source_that_is_not_here_is_told_as_that() -> None:
    with (
        bound() as server,
        relay({"e": port(server)}, Protocol.UDP, source="192.0.2.77") as made,
        made.client() as client,
    ):
        client.send(b"q")
        until(lambda: made.refused("source") == 1)
        assert made.refused("ports") == 0
        assert made.figures()["sessions"] == 0


@pytest.mark.parametrize("reason", ["ports", "unreachable"])
def test_whatever_keeps_a_flow_from_one_server_it_tries_the_others(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected(to: Server, kind: socket.SocketKind) -> socket.socket:
        if to.name != "good":
            raise outward.NotConnected(reason)
        return outward.connected(to, kind)

    monkeypatch.setattr(udp, "connected", connected)
    here = ip_address("127.0.0.1")
    with bound() as front, bound() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        servers = [Server(name=name, address=here, port=port(server), weight=1, up=True) for name in ("bad", "good")]
        poll, account, pool = Poll(), Account(Terms()), Pool(servers)
        way: Way[Flow] = Way(WAY, Protocol.UDP, here, poll, account, pool, print)
        gate = Gate(front, poll, [way], Origins([]))
        front.setblocking(False)
        client.sendto(b"q", front.getsockname())
        gate.event(0)
        assert server.recv(10) == b"q"
        way.end(None)
        del pool.servers["good"]
        client.sendto(b"q", front.getsockname())
        gate.event(0)
        assert account.refused == {reason: 1}
        assert account.sessions == 0
        poll.sweep()
        poll.close()


def test_a_closed_front_hands_back_answers_and_takes_nothing_from_whoever_listens_beside_it() -> None:
    """The relay of a director that ended, beside the next one's."""
    with bound() as server, relay({"e": port(server)}, Protocol.UDP, drain=5.0, reuse=True) as made:
        with made.client() as client:
            client.send(b"q")
            _, flow = server.recvfrom(10)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beside:
                beside.settimeout(60)
                beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                beside.bind(made.place)
                made.socket.close()
                made.send(orders.closed("web:80"))
                made.figures()
                server.sendto(b"a", flow)
                assert client.recv(10) == b"a"
                for _ in range(20):
                    with made.client() as other:
                        other.send(b"n")
                    assert beside.recv(10) == b"n"
        until(lambda: made.figures()["sessions"] == 0)
        assert made.refused("full") == 0


def test_a_flow_that_never_rests_has_the_header_that_a_reload_wants() -> None:
    with bound() as server, relay({"e": port(server)}, Protocol.UDP) as made, made.client() as client:
        for proxy, size in ((None, 1), (Proxy.V2, 29), (None, 1)):
            made.open(Terms(proxy=proxy), again=True)
            made.figures()
            client.send(b"q")
            assert len(server.recv(1000)) == size
