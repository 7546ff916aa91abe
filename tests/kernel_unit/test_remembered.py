"""What we made is remembered over a crash, and a file nobody can read is like none."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from haman.kernel import remembered
from haman.model.kernel import AddressKey, DaemonKey, DaemonRole, ServiceKey, TimeoutsKey
from haman.model.services import Protocol

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES = {AddressKey("eth0", ip_address("10.0.0.100"), 24), AddressKey("lo", ip_address("2001:db8::100"), 128)}
SERVICES = {
    ServiceKey.at(Protocol.UDP, ip_address("2001:db8::100"), 53),
    ServiceKey.marked(7, ipv6=True),
    DaemonKey(DaemonRole.MASTER),
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAMAN_RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run" / "owned"


def test_what_was_saved_is_loaded_by_its_name() -> None:
    remembered.save("addresses", ADDRESSES)
    remembered.save("ipvs", SERVICES)
    assert remembered.load("addresses") == ADDRESSES
    assert remembered.load("ipvs") == SERVICES


def test_the_file_is_replaced_as_a_whole_and_nothing_lies_beside_it(directory: Path) -> None:
    remembered.save("addresses", ADDRESSES)
    remembered.save("addresses", [])
    assert remembered.load("addresses") == frozenset()
    assert [path.name for path in directory.iterdir()] == ["addresses.json"]


@pytest.mark.parametrize("text", ["", "{", "7", '["x"]', '[{"kind": "moon"}]', '[{"kind": "address", "device": "lo"}]'])
def test_a_file_nobody_can_read_is_like_none(directory: Path, text: str) -> None:
    assert remembered.load("addresses") == frozenset()
    directory.mkdir(parents=True)
    (directory / "addresses.json").write_text(text)
    assert remembered.load("addresses") == frozenset()


def test_what_goes_with_its_owner_is_not_remembered() -> None:
    with pytest.raises(TypeError, match="not remembered"):
        remembered.save("ipvs", [TimeoutsKey()])
