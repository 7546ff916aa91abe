from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from haman.model.checks import HttpProbe, Tls
from haman.probes import kinds
from haman.probes.equipment import Equipment
from haman.probes.outcome import Outcome
from tests.probes.support import answering, ask, question, read_request, serving
from tests.probes.tls_server import CA, CLIENT, ENCRYPTED, EXPIRED, NAME, OTHER, SERVER, secured

if TYPE_CHECKING:
    from haman.probes.outcome import Result

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def probe(**changes: Any) -> HttpProbe:
    """Asks for NAME and trusts CA."""
    settings: dict[str, Any] = {"server_name": NAME, "ca": CA} | changes
    return HttpProbe(host=NAME, expect=settings.pop("expect", None), tls=Tls(**settings))


def check(port: int, about: HttpProbe, timeout: float = 2.0) -> Result:
    return asyncio.run(ask(question(port, about, timeout=timeout)))


def test_a_good_server() -> None:
    names: list[str | None] = []
    with secured(answering(OK), asked_for=names) as port:
        result = check(port, probe())
    assert (result.outcome, result.words) == (Outcome.GOOD_STATUS, "good status: 200 OK")
    assert names == [NAME], "the name is in the handshake"
    assert result.certificate_ends == 4891363200.0, "2125-01-01"


def test_the_body_through_tls_is_read_to_its_end() -> None:
    """200 KB in many records: what TLS has read ahead is not waited for at the socket."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 200004\r\n\r\n" + b"x" * 200000 + b"done"
    about = HttpProbe(host=NAME, expect="done$", read=1 << 20, tls=Tls(server_name=NAME, ca=CA))
    with secured(answering(page)) as port:
        assert check(port, about).outcome is Outcome.GOOD_BODY


def test_a_body_that_ends_with_the_connection() -> None:
    def hang_up(connection: ssl.SSLSocket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nall is well")

    with secured(hang_up) as port:
        assert check(port, probe(expect="well$")).outcome is Outcome.GOOD_BODY


@pytest.mark.parametrize(
    ("certificate", "changes", "words"),
    [
        (EXPIRED, {}, "certificate refused: certificate has expired"),
        (SERVER, {"ca": OTHER}, "certificate refused: unable to get local issuer certificate"),
        (SERVER, {"ca": None}, "certificate refused: unable to get local issuer certificate"),
        (
            SERVER,
            {"server_name": "other.example.net"},
            "certificate refused: Hostname mismatch, certificate is not valid for 'other.example.net'.",
        ),
    ],
)
def test_certificates_that_are_refused(certificate: str, changes: dict[str, Any], words: str) -> None:
    with secured(answering(OK), certificate) as port:
        result = check(port, probe(**changes))
    assert (result.outcome, result.words) == (Outcome.BAD_CERTIFICATE, words)


def test_without_a_name_the_certificate_must_bear_the_address() -> None:
    names: list[str | None] = []
    with secured(answering(OK), asked_for=names) as port:
        assert check(port, probe(server_name=None)).outcome is Outcome.GOOD_STATUS
        other = asyncio.run(ask(question(port, probe(server_name=None), timeout=2.0, host="127.0.0.1")))
    assert other.passed
    assert names == [None, None], "an address is no name to ask for"


def test_not_verified_an_expired_one_will_do_and_its_end_is_told() -> None:
    with secured(answering(OK), EXPIRED) as port:
        result = check(port, probe(verify=False, ca=None, server_name="whoever"))
    assert result.outcome is Outcome.GOOD_STATUS
    assert result.certificate_ends == 1577934245.0, "2020-01-02 03:04:05"


def test_a_client_certificate() -> None:
    with secured(answering(OK), client_ca=CA) as port:
        assert check(port, probe(certificate=CLIENT)).outcome is Outcome.GOOD_STATUS
        without = check(port, probe())
    assert without.outcome is Outcome.BAD_TLS
    assert "certificate required" in without.words


def test_the_oldest_version_that_is_good_enough() -> None:
    with secured(answering(OK), newest=ssl.TLSVersion.TLSv1_2) as port:
        assert check(port, probe()).outcome is Outcome.GOOD_STATUS
        result = check(port, probe(minimum_version="1.3"))
    assert result.outcome is Outcome.BAD_TLS
    assert "protocol version" in result.words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ca": "/nowhere/ca.pem"}, "not checked: /nowhere/ca.pem: no such file or directory"),
        ({"certificate": "/nowhere/c.pem"}, "not checked: /nowhere/c.pem: no such file or directory"),
        ({"certificate": CLIENT, "key": "/nowhere/c.key"}, "not checked: /nowhere/c.key: no such file or directory"),
        ({"ca": __file__}, f"not checked: {__file__}: no certificate or crl found"),
        ({"certificate": __file__}, f"not checked: {__file__}: "),
        ({"certificate": CLIENT, "key": SERVER}, f"not checked: {SERVER}: key values mismatch"),
        ({"certificate": CLIENT, "key": ENCRYPTED}, f"not checked: {ENCRYPTED}: the key is encrypted, and nobody is"),
    ],
)
def test_files_that_cannot_be_used_say_nothing_about_the_server(settings: dict[str, Any], words: str) -> None:
    result = check(1, probe(**settings))
    assert result.outcome is Outcome.NOT_PREPARED
    assert not result.conclusive
    assert result.words.startswith(words)


def test_checks_that_trust_the_same_share_a_context_whatever_the_name() -> None:
    async def scenario() -> None:
        equipment = Equipment(asyncio.get_running_loop())
        one = equipment.client(Tls(server_name=NAME, ca=CA))
        assert equipment.client(Tls(server_name="www.example.net", ca=CA, warn_before=0.0)) is one
        assert equipment.client(Tls(server_name=NAME)) is not one
        equipment.close()

    asyncio.run(scenario())


def test_what_the_last_check_had_is_forgotten_with_it() -> None:
    """A context takes a megabyte, and each reload may bring others."""

    async def scenario() -> None:
        equipment = Equipment(asyncio.get_running_loop())
        about = question(443, probe(expect="ok"))
        asking, another = (kinds.prober(equipment, about, lambda result: None) for _ in range(2))
        client, pattern = (
            weakref.ref(made)
            for made in (asking._client, asking._expect)  # type: ignore[attr-defined]
        )
        asking.abandon()
        del asking
        gc.collect()
        assert (client(), pattern()) == (another._client, another._expect)  # type: ignore[attr-defined]
        another.abandon()
        del another
        gc.collect()
        assert (client(), pattern()) == (None, None)
        equipment.close()

    asyncio.run(scenario())


def test_renewed_files_are_used_without_a_restart(tmp_path: Path) -> None:
    """The authority's file is missing at first, then another one's, then the right one; that is not read again."""
    ca = tmp_path / "ca.pem"
    sources = [Path(name).read_text() for name in (OTHER, CA)]

    async def scenario(port: int) -> list[Outcome]:
        equipment = Equipment(asyncio.get_running_loop())
        about = question(port, probe(ca=str(ca)), timeout=2.0)
        client = equipment.client(about.probe.tls)  # type: ignore[union-attr]
        outcomes = [(await one(about, equipment)).outcome]
        for source in sources:
            ca.write_text(source)
            outcomes.append((await one(about, equipment)).outcome)
        assert client.context() is client.context()
        equipment.close()
        return outcomes

    async def one(about: Any, equipment: Equipment) -> Result:
        from haman.probes import kinds

        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        kinds.prober(equipment, about, answer.set_result).start()
        return await answer

    with secured(answering(OK)) as port:
        assert asyncio.run(scenario(port)) == [
            Outcome.NOT_PREPARED,
            Outcome.BAD_CERTIFICATE,
            Outcome.GOOD_STATUS,
        ]


# ----------------------------------------------------------------------------------------------- bad servers


def test_garbage_in_place_of_tls() -> None:
    def garbage(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        connection.recv(1)

    with serving(garbage) as port:
        result = check(port, probe())
    assert (result.outcome, result.words) == (Outcome.BAD_TLS, "no TLS: wrong version number")


def test_plain_http_in_place_of_tls() -> None:
    with serving(answering_anything(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert check(port, probe()).words == "no TLS: wrong version number"


def answering_anything(data: bytes) -> Any:
    def behaviour(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)
        connection.recv(1)

    return behaviour


def test_accepts_and_never_shakes_hands() -> None:
    with serving(lambda connection: connection.recv(1 << 16) and connection.recv(1)) as port:  # type: ignore[func-returns-value]
        result = check(port, probe(), timeout=0.2)
    assert (result.outcome, result.words) == (
        Outcome.TIMEOUT_TLS,
        "connected, but no TLS handshake within the timeout: 0.2 s",
    )


def test_hangs_up_in_the_handshake() -> None:
    with serving(lambda connection: connection.recv(4096)) as port:  # type: ignore[arg-type, return-value]
        result = check(port, probe())
    assert (result.outcome, result.words) == (Outcome.BAD_TLS, "no TLS: the connection was closed in the handshake")


def test_reset_in_the_handshake() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.recv(4096)

    with serving(reset) as port:
        assert check(port, probe()).outcome is Outcome.RESET


def test_shakes_hands_and_hangs() -> None:
    with secured(answering()) as port:
        result = check(port, probe(), timeout=0.3)
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert result.certificate_ends is not None, "seen all the same"


def test_a_byte_at_a_time_through_tls_ends_inside_the_timeout() -> None:
    def drip(connection: ssl.SSLSocket) -> None:
        read_request(connection)
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 200:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    with secured(drip) as port:
        result = check(port, probe(), timeout=0.4)
    assert result.outcome is Outcome.TIMEOUT_RESPONSE
    assert 0.4 <= result.latency < 1.2


def test_an_endless_body_through_tls_is_bounded() -> None:
    def flood(connection: ssl.SSLSocket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    with secured(flood) as port:
        result = check(port, probe(expect="never"))
    assert (result.outcome, result.detail) == (Outcome.BAD_BODY, "200 OK; what is expected is not in its 65536 bytes")
