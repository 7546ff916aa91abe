"""Addresses, always as numbers: haman looks no name up, so that it never waits for DNS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address
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
    """The address of one machine. four, six: may be IPv4, IPv6. loopback: may be the director's own 127.0.0.1.
    link_local: may be one that says nothing without its interface. own: is a director's."""

    four: bool = True
    six: bool = True
    loopback: bool = False
    link_local: bool = False
    own: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]
        return "an IPv4 or IPv6 address" if self.four and self.six else f"an IPv{4 if self.four else 6} address"

    def parse(self, value: Any) -> IPv4Address | IPv6Address:
        written = text(value, self.words, "10.0.0.1" if self.four else "2001:db8::1")
        if "/" in written:
            raise wrong(f"{quoted(written)} has a prefix", f"write {quoted(written.split('/')[0])}")
        address = _address(written, self.words)
        if isinstance(address, IPv4Address) and not self.four:
            raise wrong(f"{address} is an IPv4 address", "write it as 'address', and the IPv6 one here")
        if isinstance(address, IPv6Address) and not self.six:
            raise wrong(f"{address} is an IPv6 address", "write an IPv4 one")
        if isinstance(address, IPv6Address) and address.is_link_local and not self.link_local:
            cure = "write the global one" + (", or none: haman finds the link-local one by itself" if self.own else "")
            raise wrong(f"{address} is a link-local address, which every network has for itself", cure)
        return _usable(address, loopback=self.loopback)

    def json(self) -> dict[str, Any]:
        forms = [form for form, may in ((_FOUR, self.four), (_SIX, self.six)) if may]
        return {"type": "string", "pattern": f"^({'|'.join(forms)})$"}


class MacText(Form):
    """The hardware address of a network interface."""

    words = "a MAC address, `02:00:5e:10:00:01`"

    def parse(self, value: Any) -> str:
        written = text(value, "a MAC address", "02:00:5e:10:00:01")
        if not re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", written):
            raise wrong(f"{quoted(written)} is not a MAC address", "write it as `ip link` shows it, 02:00:5e:10:00:01")
        return written.lower().replace("-", ":")

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"}


class SourceText(Form):
    """Where full NAT's packets come from: nothing is the interface's own address."""

    words = "`masquerade` for the address of the interface, or an address"

    def parse(self, value: Any) -> tuple[IPv4Address | IPv6Address, ...]:
        written = text(value, "`masquerade` or an address", "10.0.0.100")
        return () if written == "masquerade" else (_usable(_address(written, "an address, nor 'masquerade'")),)

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(masquerade|{_FOUR}|{_SIX})$"}


class VirtualAddressText(Form):
    """A VIP with the prefix it has on the NIC; without one it is a /32 or /128."""

    words = (
        "an IPv4 or IPv6 address with its prefix, `10.0.0.100/24`, `2001:db8::100/64`; without a prefix it is a /32,"
        " or a /128"
    )

    def parse(self, value: Any) -> IPv4Interface | IPv6Interface:
        written = text(value, "an address with its prefix", "10.0.0.100/24")
        host, slash, prefix = written.partition("/")
        address = _usable(_address(host, "an IPv4 or IPv6 address"))
        longest = address.max_prefixlen
        if slash and not (re.fullmatch("0|[1-9][0-9]{0,2}", prefix) and int(prefix) <= longest):
            such = "/24" if longest == 32 else "/64"
            raise wrong(
                f"{quoted(prefix)} is not a prefix length", f"write 0 to {longest} after the '/', such as {such}"
            )
        kind = IPv4Interface if isinstance(address, IPv4Address) else IPv6Interface
        interface = kind(f"{address}/{prefix or longest}")
        network = interface.network
        if network.prefixlen < longest - 1 and address in _reserved(interface):
            end = "first" if address == network.network_address else "last"
            what = f"{address} is the {end} address of {network}, which no host may have"
            raise wrong(what, f"check the address and the prefix; without a network write {address}/{longest}")
        return interface

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({_FOUR}(/[0-9]{{1,2}})?|{_SIX}(/[0-9]{{1,3}})?)$"}


def _reserved(interface: IPv4Interface | IPv6Interface) -> tuple[IPv4Address | IPv6Address, ...]:
    """Network and broadcast address; in IPv6 the first is every router's (subnet-router anycast, RFC 4291, 2.6.1)."""
    network = interface.network
    return (network.network_address, network.broadcast_address)[: 2 if interface.version == 4 else 1]


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
