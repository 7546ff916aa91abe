from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, TextIO

import pytest

from haman.model.cluster import LogFormat
from haman.model.transition import Kind, Transition
from haman.observe import journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAKEOVER = Transition(
    kind=Kind.ROUTER,
    who="public",
    before="standby",
    after="active",
    why="nothing heard for 3.61 s",
    cause="master_down",
    at=1763780645.25,
)


@pytest.fixture(autouse=True)
def clean_log() -> Iterator[None]:
    yield
    journal.log.handlers.clear()
    journal.log.setLevel(logging.NOTSET)
    journal.log.propagate = True


@pytest.fixture
def out(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "log").open("w+") as stream:
        yield stream


def written(stream: TextIO) -> str:
    stream.seek(0)
    return stream.read()


def test_text_line(out: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1763780645.25)
    monkeypatch.setattr("time.localtime", __import__("time").gmtime)
    journal.setup("elector", stream=out)
    journal.record(TAKEOVER)
    assert written(out) == (
        "2025-11-22 03:04:05.250 elector info: router public: standby -> active: nothing heard for 3.61 s\n"
    )


def test_json_line_carries_the_whole_transition(out: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1763780645.25)
    journal.setup("director", LogFormat.JSON, stream=out)
    journal.record(TAKEOVER)
    assert json.loads(written(out)) == {
        "time": "2025-11-22T03:04:05.250Z",
        "process": "director",
        "level": "info",
        "message": "router public: standby -> active: nothing heard for 3.61 s",
        "kind": "router",
        "who": "public",
        "before": "standby",
        "after": "active",
        "why": "nothing heard for 3.61 s",
        "cause": "master_down",
        "at": 1763780645.25,
    }


def test_under_systemd_the_level_goes_before_the_line(out: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.fstat(out.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    journal.setup("director", stream=out)
    journal.log.warning("one\ntwo")
    assert written(out) == "<4>director: one\n<4>director: two\n"


def test_setup_again_changes_format_and_level(out: TextIO) -> None:
    journal.setup("director", level="error", stream=out)
    journal.log.warning("not seen")
    journal.setup("director", LogFormat.JSON, "warning", stream=out)
    journal.log.warning("seen once")
    assert [json.loads(line)["message"] for line in written(out).splitlines()] == ["seen once"]


@pytest.mark.parametrize(
    ("kind", "after", "level"),
    [
        (Kind.ROUTER, "active", logging.INFO),
        (Kind.ROUTER, "fault", logging.WARNING),
        (Kind.SERVER, "down", logging.WARNING),
        (Kind.SERVER, "up", logging.INFO),
        (Kind.SERVICE, "down", logging.ERROR),
        (Kind.SERVICE, "floor", logging.WARNING),
        (Kind.DRIFT, "repaired", logging.WARNING),
        (Kind.KERNEL, "refused", logging.ERROR),
        (Kind.KERNEL, "ok", logging.INFO),
        (Kind.HOOK, "exit 0", logging.INFO),
        (Kind.HOOK, "exit 1", logging.WARNING),
        (Kind.HOOK, "timeout", logging.WARNING),
    ],
)
def test_levels(kind: Kind, after: str, level: int) -> None:
    transition = Transition(kind=kind, who="x", before="y", after=after, why="z", cause="c", at=0.0)
    assert journal.level_of(transition) == level


def test_an_exception_is_told_with_its_traceback(out: TextIO) -> None:
    journal.setup("director", stream=out)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        journal.log.exception("it broke")
    assert "it broke\nTraceback" in written(out)
    assert written(out).endswith("RuntimeError: boom\n")


def test_a_pipe_nobody_reads_does_not_block() -> None:
    """5,000 lines of about 1 kB into a full pipe return; the reader then gets the newest, and the number lost."""
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    journal.setup("director", stream=stream)
    done = threading.Event()

    def flood() -> None:
        for number in range(5000):
            journal.log.info("line %d %s", number, "x" * 1000)
        done.set()

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    assert done.wait(20), "logging blocked"
    seen = b""
    os.set_blocking(reader, False)
    for _ in range(1000):
        try:
            seen += os.read(reader, 1 << 20)
        except BlockingIOError:
            journal.flush()
            try:
                seen += os.read(reader, 1 << 20)
            except BlockingIOError:
                break
    lines = seen.decode().splitlines()
    assert " line 0 " in lines[0]
    assert " line 4999 " in lines[-1]
    lost = next(line for line in lines if "log lines lost" in line)
    assert int(lost[1:].split()[0]) + len(lines) - 1 == 5000
    stream.close()
    os.close(reader)


def test_a_line_that_was_begun_is_ended_however_many_are_lost() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(writer, "w") as stream:
        journal.setup("director", LogFormat.JSON, stream=stream)
        journal.log.info("x" * 6000)
        for number in range(journal.BACKLOG + 1):
            journal.log.info("line %d", number)
        lines = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(reader, 65536):
                lines += data
                journal.flush()
    os.close(reader)
    first, lost, *others = lines.decode().splitlines()
    assert json.loads(first)["message"] == "x" * 6000
    assert lost == "(1 log lines lost: nobody read them in time)"
    assert len(others) == journal.BACKLOG


def test_a_closed_reader_is_no_error() -> None:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    journal.setup("director", stream=stream)
    os.close(reader)
    journal.log.info("to nobody")
    journal.log.info("again")
    stream.close()


def test_a_long_line_stays_whole_and_a_monstrous_one_is_cut(out: TextIO) -> None:
    journal.setup("director", LogFormat.JSON, stream=out)
    journal.log.info("x" * 10_000)
    assert len(json.loads(written(out))["message"]) == 10_000
    journal.log.info("y" * 100_000)
    assert len(written(out).splitlines()[1]) == 65536


def test_the_elector_can_import_it_cheaply() -> None:
    code = "import sys, haman.observe.journal; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("yaml", "pydantic", "prometheus_client", "aiohttp", "rich", "pyroute2"):
        assert f"'{heavy}'" not in loaded
