"""Frames as Wireshark's dissectors read them: a second opinion that knows nothing of haman.

Debian's tshark 4.0 knows one checksum of VRRPv3 over IPv4, that with a pseudo-header (RFC 5798 as most read it); of
the form of RFC 9568 it complains, and names the other one as right.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from haman.wire import checksum, ipv4
from haman.wire.packet import PRECEDENCE, PROTOCOL_VRRP, Packet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAC = bytes.fromhex("020000000001")
_FILE_HEADER = pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
COMPLAINTS = ("_ws.expert.message", "_ws.malformed")


def framed(packet: Packet) -> bytes:
    """An advertisement in an Ethernet frame, with what the kernel fills in on a raw socket (raw(7))."""
    group = packet.destination.packed
    if packet.source.version == 4:
        header = bytearray(ipv4.wrap(packet))
        header[10:12] = pack("!H", checksum.internet(bytes(header[:20])))
        return b"\x01\x00\x5e" + group[1:] + MAC + b"\x08\x00" + header
    length, version = len(packet.payload), 6 << 28 | PRECEDENCE << 20
    header6 = pack("!IHBB", version, length, PROTOCOL_VRRP, packet.ttl) + packet.source.packed + group
    return b"\x33\x33" + group[12:] + MAC + b"\x86\xdd" + header6 + packet.payload


def read(frames: Iterable[bytes], fields: Sequence[str]) -> list[dict[str, str]]:
    """For each frame what tshark shows of `fields` (as in `tshark -G fields`) and of COMPLAINTS; empty what it has not.
    Several values of one field are joined with commas. That an address moves from one host to another is no fault."""
    wanted = (*fields, *COMPLAINTS)
    with TemporaryDirectory() as folder:
        path = Path(folder, "frames.pcap")
        path.write_bytes(_FILE_HEADER + b"".join(pack("<IIII", 0, 0, len(each), len(each)) + each for each in frames))
        options = ["-o", "ip.check_checksum:TRUE", "-o", "arp.detect_duplicate_ips:FALSE"]
        shown = ["-T", "fields", "-E", "separator=|", *(word for field in wanted for word in ("-e", field))]
        argv = ["tshark", "-n", "-r", str(path), *options, *shown]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300)
    return [dict(zip(wanted, line.split("|"), strict=True)) for line in done.stdout.splitlines()]


def complaints(rows: Iterable[dict[str, str]]) -> list[str]:
    return [row[field] for row in rows for field in COMPLAINTS if row[field]]
