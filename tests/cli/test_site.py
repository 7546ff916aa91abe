"""`haman site use`: what it asks, and its exit codes."""

from __future__ import annotations

import getpass
from typing import Any

import pytest

from haman.cli import main, site


@pytest.mark.parametrize(
    ("wish", "serves", "code"),
    [("backup", "east", 0), ("backup", "local", 3), ("local", "local", 0), ("auto", "east", 0)],
)
def test_exit_code(
    wish: str, serves: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def ask(question: str, **details: Any) -> dict[str, Any]:
        asked.append({"ask": question, **details})
        return {"service": "web", "order": wish, "serves": serves, "why": "said the test"}

    monkeypatch.setattr(site, "ask", ask)
    assert main(["site", "use", wish, "web"]) == code
    assert asked == [{"ask": "site", "service": "web", "order": wish, "by": getpass.getuser()}]
    assert capsys.readouterr().out == f"service web: {serves} serves: said the test\n"


def test_another_wish_is_a_mistake() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["site", "use", "nowhere", "web"])
    assert ended.value.code == 2
