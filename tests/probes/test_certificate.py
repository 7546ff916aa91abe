from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haman.probes.certificate import BadCertificate, not_after
from tests.probes.tls_server import CA, EXPIRED, SERVER


def der(file: str) -> bytes:
    with open(file) as opened:
        pem = opened.read()
    return ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 25] + "\n")


@pytest.mark.parametrize(
    ("file", "ends"),
    [(SERVER, 4891363200.0), (EXPIRED, 1577934245.0), (CA, 4891363200.0)],
    ids=["GeneralizedTime 2125", "UTCTime 2020", "self-signed"],
)
def test_real_certificates(file: str, ends: float) -> None:
    assert not_after(der(file)) == ends


@given(st.binary(max_size=300))
def test_rubbish_is_told_apart(data: bytes) -> None:
    with pytest.raises(BadCertificate):
        not_after(data)


@given(st.integers(0, 400), st.integers(0, 255))
def test_damaged_certificates_give_a_number_or_their_own_error(place: int, byte: int) -> None:
    damaged = bytearray(der(SERVER))
    damaged[place % len(damaged)] = byte
    with contextlib.suppress(BadCertificate):
        assert isinstance(not_after(bytes(damaged)), float)
