from __future__ import annotations

import asyncio
import grp
import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from haman import paths
from haman.director import ask as ask_module
from haman.director import control
from haman.director.ask import ask
from haman.director.control import Control, listen
from haman.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Container
    from pathlib import Path


WRONG = "what went wrong is in its log. Please report it"


@pytest.fixture(autouse=True)
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))


def serving(scenario: Callable[[], Awaitable[None]], changing: Container[str] = ()) -> None:
    async def inside() -> None:
        answers = {
            "status": lambda _: {"node": "lb1"},
            "other": lambda asked: [1, asked.get("more", 2)],
            "broken": broken,
        }
        async with asyncio.TaskGroup() as tasks:
            server = tasks.create_task(Control(paths.control_socket(), answers, changing=changing).run())
            while not paths.control_socket().exists():
                await asyncio.sleep(0.001)
            async with asyncio.timeout(60):
                await scenario()
            server.cancel()

    asyncio.run(inside())


def broken(question: Any) -> Any:
    raise FileNotFoundError("no such thing")


def connect() -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(paths.control_socket()))
    return client


def exchange(question: bytes) -> Any:
    with connect() as client:
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
        data = b""
        while part := client.recv(65536):
            data += part
        return json.loads(data)


def test_a_question_and_its_answer() -> None:
    async def scenario() -> None:
        assert await asyncio.to_thread(ask, "status") == {"node": "lb1"}
        assert await asyncio.to_thread(ask, "other") == [1, 2]

    serving(scenario)


def test_a_defect_in_an_answer_is_told_and_the_next_question_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        said = await asyncio.to_thread(exchange, b'{"v": 1, "ask": "broken"}\n')
        assert said == {"v": 1, "error": f"haman made a mistake over 'broken': {WRONG}"}
        assert await asyncio.to_thread(ask, "status") == {"node": "lb1"}

    serving(scenario)
    assert "FileNotFoundError: no such thing" in caplog.text


def test_a_defect_in_a_change_ends_the_director() -> None:
    async def scenario() -> None:
        with connect() as client:
            client.sendall(b'{"v": 1, "ask": "broken"}\n')
            await asyncio.sleep(60)

    with pytest.raises(ExceptionGroup) as ended:
        serving(scenario, changing={"broken"})
    assert ended.group_contains(FileNotFoundError, match="no such thing")


def test_the_socket_is_for_its_owner_and_group() -> None:
    async def scenario() -> None:
        mode = paths.control_socket().stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o660)

    serving(scenario)


def test_a_group_that_is_not_there_lets_no_other_in() -> None:
    """Its file belonged to another group until now, whose members were let in."""
    path = paths.control_socket()
    known = grp.getgrgid(os.getegid()).gr_name
    with listen(path, known):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        control.give(path, "no-such-group")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        control.give(path, known)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (b"", "a question is one line of JSON"),
        (b"\n", "a question is one line of JSON"),
        (b"hello\n", "a question is one line of JSON"),
        (b"\xff\xfe\n", "a question is one line of JSON"),
        (b"[]\n", "a question is one line of JSON"),
        (b"7\n", "a question is one line of JSON"),
        (b'{"v": 1}\n', "a question is one line of JSON"),
        (b'{"v": 1, "ask": "status", "at": NaN}\n', "a question is one line of JSON"),
        (b'{"v": 1, "ask": "history", "since": 1e400}\n', "a question is one line of JSON"),
        (b'{"v": 1, "ask": "history", "since": ' + b"9" * 400 + b"}\n", "a question is one line of JSON"),
        (b'{"v": 1, "ask": "status", "at": [-Infinity]}\n', "a question is one line of JSON"),
        (b"[" * 60000 + b"\n", "a question is one line of JSON"),
        (b"x" * 200000, "a question is one line of JSON"),
        (b'{"v": 2, "ask": "status"}\n', "this haman speaks version 1 of the control protocol, not 2"),
        (b'{"v": true, "ask": "status"}\n', "this haman speaks version 1 of the control protocol, not True"),
        (b'{"v": 1.0, "ask": "status"}\n', "this haman speaks version 1 of the control protocol, not 1.0"),
        (b'{"v": 1, "ask": "hello"}\n', "nobody here answers 'hello'; known: status, other"),
        (b'{"v": 1, "ask": ["status"]}\n', "nobody here answers ['status']; known: status, other"),
    ],
)
def test_garbage_gets_a_clear_answer(question: bytes, words: str) -> None:
    async def scenario() -> None:
        try:
            reply = await asyncio.to_thread(exchange, question)
            assert reply["error"].startswith(words)
        except (BrokenPipeError, ConnectionResetError):
            assert len(question) > 65536, "it stopped listening to one that talks on"
        assert await asyncio.to_thread(ask, "status") == {"node": "lb1"}

    serving(scenario)


def test_slow_and_silent_clients_cannot_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.3)

    async def scenario() -> None:
        idlers = [connect() for _ in range(control.CLIENTS + 5)]
        idlers[0].sendall(b'{"v": 1, "ask"')
        assert await asyncio.to_thread(ask, "status") == {"node": "lb1"}
        told = await asyncio.to_thread(idlers[0].recv, 1000)
        assert json.loads(told)["error"] == "no question came within 0.3 s"
        for idler in idlers:
            idler.close()

    serving(scenario)


class Talking:
    """In the loop's place, with a follower from whom there is always more."""

    def __init__(self, times: int) -> None:
        self.times = times

    async def sock_recv(self, client: socket.socket, size: int) -> bytes:
        self.times -= 1
        return b"x" * size if self.times else b""


def test_a_follower_that_talks_on_leaves_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "TALK", 0.001)

    async def nothing() -> AsyncGenerator[list[Any]]:
        await asyncio.sleep(60)
        yield []

    async def scenario() -> int:
        turns = 0
        ours, theirs = socket.socketpair()
        with ours, theirs:
            follow = Control(paths.control_socket(), {})._follow
            following = asyncio.create_task(follow(Talking(20), ours, nothing()))  # type: ignore[arg-type]
            while not following.done():
                turns += 1
                await asyncio.sleep(0)
        return turns

    assert asyncio.run(scenario()) > 20


def test_a_client_that_leaves_early_does_no_harm() -> None:
    async def scenario() -> None:
        for _ in range(50):
            client = connect()
            client.sendall(b'{"v": 1, "ask": "status"}\n')
            client.close()
        assert await asyncio.to_thread(ask, "status") == {"node": "lb1"}

    serving(scenario)


def test_a_new_socket_takes_an_old_ones_place() -> None:
    first = listen(paths.control_socket())
    second = listen(paths.control_socket())
    client = connect()
    accepted, _ = second.accept()
    for each in (first, second, client, accepted):
        each.close()
    assert sorted(os.listdir(paths.run_directory())) == ["control.sock"]


def test_nobody_there() -> None:
    with pytest.raises(Unreachable, match=r"no haman runs here.*\nStart it: systemctl start haman, or: haman run"):
        ask("status")


def test_nobody_listens() -> None:
    listen(paths.control_socket()).close()
    with pytest.raises(Unreachable, match=r"no haman listens on .*being restarted"):
        ask("status")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"hello\n", "no haman that is understood here"),
        (b"", r"hung up before it had answered .*: ask again"),
        (b'{"v": 1, "ans', r"hung up before it had answered .*: ask again"),
    ],
    ids=["somebody else", "nothing", "half an answer"],
)
def test_no_answer_that_can_be_used(said: bytes, words: str) -> None:
    async def scenario() -> None:
        with listen(paths.control_socket()) as other:
            other.setblocking(True)

            def reply() -> None:
                client, _ = other.accept()
                with client:
                    client.recv(1000)
                    client.sendall(said)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.to_thread(reply))
                with pytest.raises(Unreachable, match=words):
                    await asyncio.to_thread(ask, "status")

    asyncio.run(scenario())


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_module, "TIMEOUT", 0.1)
    with listen(paths.control_socket()), pytest.raises(Unreachable, match=r"does not answer .* within 0\.1 s"):
        ask("status")


def test_an_error_is_passed_on() -> None:
    async def scenario() -> None:
        with pytest.raises(Unreachable, match="nobody here answers 'hello'"):
            await asyncio.to_thread(ask, "hello")

    serving(scenario)
