"""Single values: what they become. What they say when they are wrong is in cases/values.txt."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv6Address

import pytest
from pydantic_core import PydanticCustomError

from haman.config.forms.addresses import Endpoint, HostAddress, VirtualAddressText
from haman.config.forms.around import CommandText, FloorText
from haman.config.forms.http import HttpPath, StatusRange
from haman.config.forms.numbers import Duration, Percent, Size, Whole, spoken
from haman.config.forms.words import HOST_NAME, INTERFACE, NAME
from haman.model.cluster import Listen
from haman.model.services import Floor


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("100ms", 0.1), ("0.1s", 0.1), ("1s", 1.0), ("1.5m", 90.0), ("2h", 7200.0), ("1d", 86400.0), ("0s", 0.0)],
)
def test_durations_are_seconds(written: str, seconds: float) -> None:
    assert Duration("0s", "2d").parse(written) == seconds


@pytest.mark.parametrize("written", ["10ms", "40.95s", "0.04s", "1s"])
def test_steps_are_exact(written: str) -> None:
    Duration("10ms", "40.95s", "10ms").parse(written)


@pytest.mark.parametrize(
    "written", ["1s ", "s", "1", "1.s", ".5s", "+1s", "1us", "1_0s", "１s", None, 1, 1.0, True, [], {}]
)
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(PydanticCustomError):
        Duration("0s", "2d").parse(written)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0s"),
        (0.05, "50ms"),
        (0.5, "500ms"),
        (1.0, "1s"),
        (1.5, "1500ms"),
        (300.0, "5m"),
        (7200.0, "2h"),
        (90.0, "90s"),
    ],
)
def test_durations_can_be_written_again(seconds: float, written: str) -> None:
    assert spoken(seconds) == written
    assert Duration("0s", "1d").parse(written) == seconds


def test_other_measures() -> None:
    assert Percent(0, 50).parse("12.5%") == 0.125
    assert Size(1, 65507).parse("1400B") == 1400
    assert Size(1, 65507).parse("2KiB") == 2048
    assert Whole(0, 5).parse(5) == 5


def test_addresses() -> None:
    assert HostAddress().parse("10.0.0.1") == IPv4Address("10.0.0.1")
    assert HostAddress().parse("2001:db8::1") == IPv6Address("2001:db8::1")
    assert HostAddress(loopback=True).parse("127.0.0.1") == IPv4Address("127.0.0.1")
    assert VirtualAddressText().parse("10.0.0.100/24") == IPv4Interface("10.0.0.100/24")
    assert VirtualAddressText().parse("10.0.0.100") == IPv4Interface("10.0.0.100/32")
    assert VirtualAddressText().parse("10.0.0.0/31") == IPv4Interface("10.0.0.0/31")
    assert Endpoint().parse("127.0.0.1:9112") == Listen(host="127.0.0.1", port=9112)
    assert Endpoint().parse("[::1]:80") == Listen(host="::1", port=80)


@pytest.mark.parametrize("name", ["a", "web-1", "rs1.example.com", "VI_1", "0", "_x", "a" * 63])
def test_names(name: str) -> None:
    assert NAME.parse(name) == name


@pytest.mark.parametrize("name", ["", ".", "-a", "a b", "a/b", "a:b", "a" * 64, "é", "a\n", "[key]", "<text>"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(PydanticCustomError):
        NAME.parse(name)


@pytest.mark.parametrize("name", ["eth0", "enp3s0f1np1", "br-lan.100", "bond0@x", "a" * 15])
def test_interfaces(name: str) -> None:
    assert INTERFACE.parse(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "eth0:1", "a/b", "a b", "a" * 16, "é", "eth0\n"])
def test_what_is_no_interface(name: str) -> None:
    with pytest.raises(PydanticCustomError):
        INTERFACE.parse(name)


def test_host_names() -> None:
    assert HOST_NAME.parse("lb-1.example.com") == "lb-1.example.com"
    for wrong in ("-a", "a-", "a..b", "a_b", "a.", "", "a" * 65):
        with pytest.raises(PydanticCustomError):
            HOST_NAME.parse(wrong)


def test_single_settings() -> None:
    assert StatusRange().parse(200) == (200, 200)
    assert StatusRange().parse("200-299") == (200, 299)
    assert FloorText().parse(2) == Floor(count=2)
    assert FloorText().parse("50%") == Floor(share=0.5)
    assert HttpPath().parse("/a?b=%20&c#d") == "/a?b=%20&c#d"
    assert CommandText().parse("/bin/x 'a b' \"c\" d\\ e") == ["/bin/x", "a b", "c", "d e"]
    for wrong in ("/a b", "/a\r\nHost: x", "/é", "a", "", "/\0"):
        with pytest.raises(PydanticCustomError):
            HttpPath().parse(wrong)
