"""docs/how-to/real-servers.md shows what `haman realserver --print` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.cli import main
from tests.docs.pages import ROOT, blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = ROOT / "docs/how-to/real-servers.md"
EXAMPLE = ROOT / "etc/examples/real-servers.yaml"


@pytest.mark.parametrize(("node", "more"), [("rs1", ()), ("rs2", ("--method", "redirect"))])
def test_the_printed_commands_are_on_the_page(
    node: str, more: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["realserver", str(EXAMPLE), "--node", node, "--print", *more]) == 0
    printed = capsys.readouterr().out
    assert printed
    assert printed in [block.text for block in blocks(PAGE)]
