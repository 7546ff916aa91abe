"""Types that several parts of the file use: a Python type and its form."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Annotated

from haman.config.forms.addresses import HostAddress, VirtualAddressText
from haman.config.forms.numbers import Whole
from haman.config.forms.words import HOST_NAME, INTERFACE, NAME, Boolean
from haman.model.addresses import Address, Interface

Name = Annotated[str, NAME]
HostName = Annotated[str, HOST_NAME]
InterfaceName = Annotated[str, INTERFACE]
InterfaceNameOrNone = Annotated[str | None, INTERFACE]
Flag = Annotated[bool, Boolean()]
Port = Annotated[int, Whole(1, 65535)]
PortOrNone = Annotated[int | None, Whole(1, 65535)]
Ip = Annotated[Address, HostAddress()]
IpOrNone = Annotated[Address | None, HostAddress()]
OwnIp = Annotated[Address, HostAddress(own=True)]
OwnIpOrNone = Annotated[Address | None, HostAddress(own=True)]
OwnIp6OrNone = Annotated[IPv6Address | None, HostAddress(four=False, own=True)]
ServerIpOrNone = Annotated[Address | None, HostAddress(loopback=True)]
Vip = Annotated[Interface, VirtualAddressText()]
