"""When does a certificate end? Read from its DER form (RFC 5280, section 4.1), verified or not.

Python tells it only of certificates it has verified, and a check that does not verify wants to know it too.
"""

from __future__ import annotations

from calendar import timegm
from time import strptime

_SEQUENCE, _INTEGER, _EXPLICIT_0, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18


class BadCertificate(ValueError):
    """These bytes are no X.509 certificate."""


def not_after(der: bytes) -> float:
    """Seconds since the epoch. Raises BadCertificate."""
    tag, start, _ = _element(der, 0)  # Certificate
    _expect(tag, _SEQUENCE)
    tag, at, _ = _element(der, start)  # TBSCertificate
    _expect(tag, _SEQUENCE)
    tag, _, end = _element(der, at)
    if tag == _EXPLICIT_0:  # version
        tag, _, end = _element(der, end)
    _expect(tag, _INTEGER)  # serialNumber
    for _ in ("signature", "issuer"):
        tag, _, end = _element(der, end)
        _expect(tag, _SEQUENCE)
    tag, start, _ = _element(der, end)  # validity
    _expect(tag, _SEQUENCE)
    _, _, end = _element(der, start)  # notBefore
    tag, start, end = _element(der, end)
    return _time(tag, der[start:end])


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the contents."""
    try:
        tag, length = der[at], der[at + 1]
        start = at + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[start : start + size], "big")
            start += size
    except IndexError:
        raise BadCertificate("cut short") from None
    if start + length > len(der):
        raise BadCertificate("cut short")
    return tag, start, start + length


def _expect(tag: int, wanted: int) -> None:
    if tag != wanted:
        raise BadCertificate(f"tag {tag:#x} in place of {wanted:#x}")


def _time(tag: int, text: bytes) -> float:
    """RFC 5280, section 4.1.2.5: always with seconds and in UTC; two digits of a year from 50 on are 19xx."""
    try:
        written = text.decode("ascii")
        if tag == _UTC_TIME:
            written = ("19" if int(written[:2]) >= 50 else "20") + written
        elif tag != _GENERALIZED_TIME:
            raise BadCertificate(f"tag {tag:#x} is no time")
        return float(timegm(strptime(written, "%Y%m%d%H%M%SZ")))
    except ValueError as error:
        raise BadCertificate(str(error)) from None
