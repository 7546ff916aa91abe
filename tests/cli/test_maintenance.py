"""`haman maintenance`: a question is not taken for an order, nor an order for a question."""

from __future__ import annotations

import pytest

from haman.cli import main, maintenance


@pytest.mark.parametrize("options", [["--why", "new disk"], ["--force"]])
def test_an_order_that_says_neither_on_nor_off(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(maintenance, "ask", lambda *_, **__: pytest.fail("it was taken for a question"))
    assert main(["maintenance", *options]) == 2
    assert "go with on or off" in capsys.readouterr().err
