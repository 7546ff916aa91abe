"""`haman switchover`: options that say two things are refused, and nobody is asked."""

from __future__ import annotations

import pytest

from haman.cli import main, switchover


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--back", "--at", "02:30"], "argument --at: not allowed with argument --back"),
        (["--cancel", "--at", "02:30"], "argument --at: not allowed with argument --cancel"),
        (["--back", "--cancel"], "argument --cancel: not allowed with argument --back"),
    ],
)
def test_one_thing_at_a_time(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["switchover", *options])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--back", "--cancel"])
@pytest.mark.parametrize("more", [["--to", "lb3"], ["--force"]])
def test_what_is_no_move_has_no_aim(
    option: str, more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(switchover, "ask", lambda *_, **__: pytest.fail("it was done all the same"))
    assert main(["switchover", option, *more]) == 2
    assert f"haman switchover: {option} gives nothing away" in capsys.readouterr().err
