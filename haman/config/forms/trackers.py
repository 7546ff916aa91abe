"""Forms of what is tracked: files, processes, routes."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from haman.config.forms.base import Form, text, wrong
from haman.config.mistakes import quoted, shown

TABLES = {"main": 254, "default": 253, "local": 255}
"""The kernel's own names (/etc/iproute2/rt_tables on every machine); others are local to a machine."""


class FilePath(Form):
    """A file of this machine."""

    words = "an absolute path"

    def parse(self, value: Any) -> str:
        written = text(value, "a path", "/run/haman/weight")
        if not written.startswith("/") or "\0" in written:
            raise wrong(f"{quoted(written)} is not an absolute path", "write it from the first '/' on")
        if written.endswith("/"):
            raise wrong(f"{quoted(written)} is a directory", "write the file in it")
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^/.*[^/]$"}


class ProcessName(Form):
    """A program's name as `ps -o comm` or the last part of its path shows it."""

    words = "a program's name, without its path"

    def parse(self, value: Any) -> str:
        written = text(value, "a program's name", "haproxy")
        if "/" in written:
            raise wrong(f"{quoted(written)} has a path", f"write {quoted(written.rsplit('/', 1)[-1] or 'haproxy')}")
        if not written or len(written) > 255 or not written.isprintable():
            raise wrong(f"{shown(written)} is no program's name", "write it as `ps -o comm` shows it")
        return written

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[^/]+$"}


class RouteText(Form):
    """The destination of a route."""

    words = "a network with its prefix length, or `default`"

    def parse(self, value: Any) -> IPv4Network | IPv6Network:
        written = text(value, "a network", "10.9.0.0/16")
        if written == "default":
            return IPv4Network("0.0.0.0/0")
        try:
            return ip_network(written)
        except ValueError as error:
            cure = "write 10.9.0.0/16, default, or ::/0 for the default of IPv6"
            if re.search("host bits", str(error)):
                cure = f"the network is {ip_network(written, strict=False)}"
            raise wrong(f"{quoted(written)} is not a network", cure) from None

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(default|[0-9A-Fa-f.:]+(/[0-9]{1,3})?)$"}


class RouteTable(Form):
    """A routing table's number."""

    words = "`main`, `default`, `local`, or a number up to 4294967295"

    def parse(self, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 0xFFFFFFFF:
            return value
        if isinstance(value, str) and value in TABLES:
            return TABLES[value]
        what = f"{shown(value)} is neither a table that every machine has nor a table's number"
        raise wrong(what, "write main, or the number that /etc/iproute2/rt_tables gives it")

    def json(self) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 1, "maximum": 0xFFFFFFFF}
        return {"anyOf": [number, {"type": "string", "enum": list(TABLES)}]}
