"""What a reload says it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.director import changes, loading

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
cluster: web
directors:
  lb1: {address: 10.0.0.1, priority: 150}
  lb2: {address: 10.0.0.2, priority: 100}
sync: false
routers:
"""
FIRST = "  a: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24]}\n"
SECOND = "  b: {interface: eth0, vrid: 52, addresses: [10.0.0.101/24]}\n"


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (FIRST + SECOND, []),
        (FIRST.replace("a:", "front:") + SECOND, ["renamed: router a is front now"]),
        (
            FIRST.replace("a:", "front:").replace("100/24", "100/25") + SECOND,
            ["changed: router front", "renamed: router a is front now"],
        ),
        (
            FIRST.replace("a:", "b:") + SECOND.replace("b:", "a:"),
            ["renamed: router b is a now", "renamed: router a is b now"],
        ),
        (FIRST.replace("a:", "c:").replace("51", "53") + SECOND, ["new: router c", "gone: router a"]),
        (FIRST.replace("51", "53") + SECOND, ["changed: router a"]),
        (SECOND.replace("b:", "a:"), ["gone: router a", "renamed: router b is a now"]),
    ],
)
def test_a_router_is_known_by_interface_and_vrid(tmp_path: Path, after: str, lines: list[str]) -> None:
    file = tmp_path / "haman.yaml"

    def read(routers: str) -> loading.Loaded:
        file.write_text(HEAD + routers)
        return loading.load(file, "lb1")

    difference = changes.between(read(FIRST + SECOND), read(after))
    assert sorted(difference.lines()) == sorted(lines)
    assert bool(difference) == bool(lines)
