"""`haman check` as an operator sees it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from haman.cli import main
from haman.config import node
from tests.config.casebook import BASE

ROOT = Path(__file__).parents[2]
BROKEN = BASE + "services:\n  web:\n    schedular: wlc\n    servers: {rs1: {address: 10.0.0.300}}\n"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "find", lambda cluster: "lb2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "haman.yaml"


def test_a_file_that_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "etc/haman.yaml"
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == (
        f"{path}: fine\n"
        "  cluster web: 2 directors (lb1, lb2)\n"
        "  1 router with 1 VIP, 1 service, 2 servers, 1 check\n"
        "  this machine is director lb2\n"
    )


def test_mistakes_with_their_lines(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BROKEN, encoding="utf-8")
    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().out == (
        f"{file}:6:5: services.web.schedular: there is no key 'schedular' here; did you mean 'scheduler'?\n"
        "    6 |     schedular: wlc\n"
        "      |     ^^^^^^^^^\n"
        f"{file}:7:30: services.web.servers.rs1.address: '10.0.0.300' is not an IPv4 or IPv6 address;"
        " each of its four parts is 0 to 255, without leading zeros\n"
        "    7 |     servers: {rs1: {address: 10.0.0.300}}\n"
        "      |                              ^^^^^^^^^^\n"
        "\n"
        f"{file}: 2 mistakes\n"
    )


def test_warnings_are_no_failure(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BASE + "checks: {front: {tcp: {}}}\n", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert f"{file}:4:10: warning: checks.front: no service uses this check" in out
    assert f"\n{file}: 1 warning\n  cluster web: " in out


def test_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BROKEN, encoding="utf-8")
    assert main(["check", "--json", str(file)]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["warnings"], "cluster" in answer) == (False, [], False)
    assert answer["mistakes"][0] == {
        "line": 6,
        "column": 5,
        "path": ["services", "web", "schedular"],
        "what": "there is no key 'schedular' here",
        "cure": "did you mean 'scheduler'?",
        "text": f"{file}:6:5: services.web.schedular: there is no key 'schedular' here; did you mean 'scheduler'?",
    }


def test_json_of_a_file_that_is_fine(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BASE, encoding="utf-8")
    assert main(["check", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(file),
        "ok": True,
        "mistakes": [],
        "warnings": [],
        "cluster": {
            "name": "web",
            "node": "lb2",
            "cannot_be_started": [],
            "cannot_be_read": [],
            "directors": ["lb1", "lb2"],
            "routers": {"public": 1},
            "services": {},
        },
    }


def test_a_key_that_this_director_could_not_use(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning: the file is fine, and who asks may have less rights than haman."""
    file.write_text(f"{BASE}authentication: {{keys: [{{id: 1, file: {tmp_path}/none}}]}}\n", encoding="utf-8")
    assert main(["check", str(file)]) == 0
    place = f"  warning: {file}:4:39: authentication.keys[0].file: {tmp_path}/none cannot be read: no such file"
    assert place in capsys.readouterr().out


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BASE.encode())))
    assert main(["check", "-"]) == 0
    assert capsys.readouterr().out.startswith("standard input: fine\n")


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert list(schema["properties"])[:3] == ["cluster", "directors", "routers"]


def test_other_verbs_do_not_load_the_configuration_code() -> None:
    code = "import sys, haman.cli; print(sorted(m for m in sys.modules if m.split('.')[0] in ('yaml', 'pydantic')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_reader_that_goes_away_is_no_crash() -> None:
    command = [sys.executable, "-m", "haman", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("shell", "code", "words"),
    [(">/dev/full", 1, "haman schema: No space left on device\n"), (">&-", 0, "")],
)
def test_output_that_goes_nowhere_is_no_crash(shell: str, code: int, words: str) -> None:
    command = f"exec '{sys.executable}' -m haman schema {shell}"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stderr) == (code, words)


def test_a_program_that_this_machine_cannot_start_is_a_warning(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hook = "hooks: [{on: [active], run: /nowhere/notify.sh}]\n"
    file.write_text(BASE + hook, encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert "warning: hook: /nowhere/notify.sh cannot be started here: no such file" in capsys.readouterr().out
    assert main(["check", str(file), "--json"]) == 0
    (words,) = json.loads(capsys.readouterr().out)["cluster"]["cannot_be_started"]
    assert words.startswith("hook: /nowhere/notify.sh")
