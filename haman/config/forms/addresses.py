"""Addresses, always as numbers: haman looks no name up, so that it never waits for DNS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, ip_address
from typing import Any

from haman.config.forms.base import Form, text, wrong
from haman.config.mistakes import quoted
from haman.model.cluster import Listen

_FOUR = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_SIX = r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+"
_PORT = "[0-9]{1,5}"
_ENDPOINT = re.compile(rf"({_FOUR}|\[{_SIX}\]):({_PORT})")


@dataclass(frozen=True)
class HostAddress(Form):
    """The address of one machine. six: IPv6 as well. loopback: may be the director's own 127.0.0.1."""

    six: bool = False
    loopback: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]
        return "an IPv4 or IPv6 address" if self.six else "an IPv4 address"

    def parse(self, value: Any) -> IPv4Address | IPv6Address:
        written = text(value, self.words, "10.0.0.1")
        if "/" in written:
            raise wrong(f"{quoted(written)} has a prefix", f"write {quoted(written.split('/')[0])}")
        address = _address(written, self.words)
        if isinstance(address, IPv6Address) and not self.six:
            raise wrong(f"{address} is an IPv6 address", "only IPv4 is supported here so far")
        return _usable(address, loopback=self.loopback)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({_FOUR}|{_SIX})$" if self.six else f"^{_FOUR}$"}


class VirtualAddressText(Form):
    """A VIP with the prefix it has on the NIC; without one it is a /32."""

    words = "an IPv4 address with its prefix, `10.0.0.100/24`; without a prefix it is a /32"

    def parse(self, value: Any) -> IPv4Interface:
        written = text(value, "an address with its prefix", "10.0.0.100/24")
        host, slash, prefix = written.partition("/")
        address = _usable(_address(host, "an IPv4 address"))
        if isinstance(address, IPv6Address):
            raise wrong(f"{address} is an IPv6 address", "virtual routers carry only IPv4 addresses so far")
        if slash and not re.fullmatch("[0-9]|[12][0-9]|3[0-2]", prefix):
            raise wrong(f"{quoted(prefix)} is not a prefix length", "write 0 to 32 after the '/', such as /24")
        interface = IPv4Interface(f"{address}/{prefix or 32}")
        network = interface.network
        if network.prefixlen < 31 and address in (network.network_address, network.broadcast_address):
            end = "first" if address == network.network_address else "last"
            what = f"{address} is the {end} address of {network}, which no host may have"
            raise wrong(what, f"check the address and the prefix; without a network write {address}/32")
        return interface

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_FOUR}(/[0-9]{{1,2}})?$"}


class Group(Form):
    """An IPv4 multicast group."""

    words = "an IPv4 multicast address, 224.0.0.0 to 239.255.255.255"

    def parse(self, value: Any) -> IPv4Address:
        address = _address(text(value, "a multicast address", "224.0.0.81"), "an IPv4 multicast address")
        if not isinstance(address, IPv4Address) or not address.is_multicast:
            raise wrong(f"{address} is not an IPv4 multicast address", "write 224.0.0.0 to 239.255.255.255")
        return address

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_FOUR}$"}


class Endpoint(Form):
    """Where a server of our own listens."""

    words = 'an address and a port, `127.0.0.1:9112` or `"[::1]:9112"`; `0.0.0.0` is every IPv4 address'

    def parse(self, value: Any) -> Listen:
        bare = isinstance(value, int) and not isinstance(value, bool)
        written = str(value) if bare else text(value, "an address with a port", "127.0.0.1:9112")
        found = _ENDPOINT.fullmatch(written)
        if not found:
            raise wrong(f"{quoted(written)} is not an address with a port", _endpoint_cure(written))
        address = _address(found[1].strip("[]"), "an address")
        port = int(found[3])
        if not 1 <= port <= 65535:
            raise wrong(f"{port} is not a port", "write 1 to 65535")
        return Listen(host=str(address), port=port)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^({_FOUR}|\[{_SIX}\]):{_PORT}$"}


def _endpoint_cure(written: str) -> str:
    if re.fullmatch(f":?{_PORT}", written):
        port = written.lstrip(":")
        return f"write 127.0.0.1:{port} for this machine only, 0.0.0.0:{port} for every address"
    if re.fullmatch(f"localhost:{_PORT}", written):
        return f"names are not looked up: write 127.0.0.1:{written.split(':')[1]}"
    if re.fullmatch(_FOUR, written):
        return f"add the port: {written}:9112"
    return 'write it as 127.0.0.1:9112 or "[::1]:9112"'


def _address(written: str, wanted: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(written)
    except ValueError:
        raise wrong(f"{quoted(written)} is not {wanted}", _address_cure(written)) from None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise wrong(f"{quoted(written)} names an interface after the '%'", "write the address alone")
    return address


def _address_cure(written: str) -> str:
    if re.fullmatch(rf"{_FOUR}(/\S*)?", written):
        return "each of its four parts is 0 to 255, without leading zeros"
    if re.fullmatch(rf"{_FOUR}:{_PORT}", written):
        return "write the address alone; the port has a key of its own"
    if re.search("[G-Zg-z]", written):
        return "write the number: names are not looked up"
    return "write it like 10.0.0.1"


def _usable(address: IPv4Address | IPv6Address, *, loopback: bool = False) -> IPv4Address | IPv6Address:
    """`address`, if a machine on a network can have it."""
    if address.is_loopback and not loopback:
        raise wrong(f"{address} is a loopback address", "write one that other machines reach")
    if address.is_multicast:
        raise wrong(f"{address} is a multicast address", "write the address of one machine")
    if address.is_unspecified or (isinstance(address, IPv4Address) and address.packed[0] in (0, *range(240, 256))):
        raise wrong(f"{address} is no machine's address", "write the address of one machine")
    return address
