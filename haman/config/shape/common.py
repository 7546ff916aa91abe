"""What services, their servers and their backups write alike: types that stand on other shapes."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import Field

from haman.config.forms.addresses import SourceText
from haman.config.forms.trackers import RouteText
from haman.config.forms.words import Off
from haman.config.shape.base import Either, LeftOut
from haman.config.shape.checks import Check
from haman.config.shape.types import Ip, Name
from haman.model.addresses import Address

Source = Annotated[
    tuple[Address, ...] | list[Ip] | None,
    Either(
        "masquerade, an address, or a list of addresses",
        {"text": Annotated[tuple[Address, ...], SourceText()], "list": Annotated[list[Ip], Field(min_length=1)]},
    ),
]

Networks = Annotated[list[Annotated[IPv4Network | IPv6Network, RouteText()]] | None, LeftOut(), Field(min_length=1)]

CheckOrName = Annotated[
    str | Literal[False] | Check | None,
    Either(
        "the name of a check, a check, or false",
        {"text": Name, "boolean": Annotated[bool, Off()], "mapping": Check},
    ),
]
