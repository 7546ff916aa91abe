"""Types that several parts of the file use: a Python type and its form."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated

from haman.config.forms.addresses import HostAddress, VirtualAddressText
from haman.config.forms.numbers import Whole
from haman.config.forms.words import HOST_NAME, INTERFACE, NAME, Boolean
from haman.model.cluster import Address

Name = Annotated[str, NAME]
HostName = Annotated[str, HOST_NAME]
InterfaceName = Annotated[str, INTERFACE]
InterfaceNameOrNone = Annotated[str | None, INTERFACE]
Flag = Annotated[bool, Boolean()]
Port = Annotated[int, Whole(1, 65535)]
PortOrNone = Annotated[int | None, Whole(1, 65535)]
Ip4 = Annotated[IPv4Address, HostAddress()]
Ip4OrNone = Annotated[IPv4Address | None, HostAddress()]
AnyIpOrNone = Annotated[Address | None, HostAddress(six=True, loopback=True)]
Vip = Annotated[IPv4Interface, VirtualAddressText()]
