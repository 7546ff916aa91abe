"""Bytes to send or to expect: as text, or in hexadecimal digits. They may be secret, so they are never quoted."""

from __future__ import annotations

import re
from typing import Any

from haman.config.forms.base import Form, wrong

MOST = 65507
"""Bytes of the largest UDP datagram over IPv4; also the largest HTTP request body that a check sends."""


class TextBytes(Form):
    """The text's UTF-8 bytes."""

    words = "text"

    def parse(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise wrong("this is not text", "write it in quotes")
        return _bounded(value.encode("utf-8", "surrogatepass"))

    def json(self) -> dict[str, Any]:
        return {"type": "string"}


class HexBytes(Form):
    """Two digits a byte; blanks and line breaks are for the reader."""

    words = "hexadecimal digits, two for each byte"

    def parse(self, value: Any) -> bytes:
        if isinstance(value, int) and not isinstance(value, bool):
            raise wrong("this is a number, whose leading zeros are lost", "write the digits in quotes")
        if not isinstance(value, str):
            raise wrong("these are not hexadecimal digits", "write them in quotes, such as 'dead beef'")
        digits = "".join(value.split())
        if not re.fullmatch("([0-9A-Fa-f]{2})*", digits):
            raise wrong("these are not hexadecimal digits, two for each byte", "write them like 'dead beef'")
        return _bounded(bytes.fromhex(digits))

    def json(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9A-Fa-f\s]*$"}


def _bounded(data: bytes) -> bytes:
    if len(data) > MOST:
        raise wrong(f"this is {len(data)} bytes long, {MOST} are the most", "send less")
    return data
