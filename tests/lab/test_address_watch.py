"""Notifications about addresses, from bytes as rtnetlink(7) lays them out."""

from __future__ import annotations

from haman.lab.address_watch import changes

DELETED = bytes.fromhex(
    "3c000000 1500 0000 00000000 00000000"  # 60 bytes, RTM_DELADDR
    "02 18 80 00 05000000"  # AF_INET, /24, permanent, global, interface 5
    "0800 0100 0a000064"  # IFA_ADDRESS 10.0.0.100
    "0800 0200 0a000064"  # IFA_LOCAL 10.0.0.100
    "0900 0300 6574683000 000000"  # IFA_LABEL eth0, padded
    "0800 0800 80000000"  # IFA_FLAGS
)
ADDED = DELETED[:4] + b"\x14" + DELETED[5:]
IPV6 = DELETED[:16] + b"\x0a" + DELETED[17:]


def test_added_and_deleted():
    assert list(changes(DELETED + ADDED)) == [(False, "10.0.0.100", 5), (True, "10.0.0.100", 5)]


def test_other_families_and_messages_are_passed_over():
    link = DELETED[:4] + b"\x10" + DELETED[5:]
    assert list(changes(IPV6 + link + ADDED)) == [(True, "10.0.0.100", 5)]


def test_rubbish_ends_it():
    assert list(changes(b"\x00" * 64)) == []
    assert list(changes(DELETED[:10])) == []
