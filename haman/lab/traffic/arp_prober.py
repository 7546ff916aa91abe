"""Asks "who has the VIP?" a thousand times a second and writes down who answers: nobody, one owner, or two.

With each answer goes how many questions had been asked by then: whether all of them were answered can be said of a
machine that pauses, too, on which a time without an answer proves nothing.

It stands on the cluster's segment with an address of its own, and must not be the router: the answers to its questions
come to it alone, so they do not refresh the cache whose freshness the announcements have to bring about. Announcements
(gratuitous ARP) are written down as well.
"""

from __future__ import annotations

import argparse
import bisect
import socket
import struct
import time

from haman.lab.traffic import recording

SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
ETH_P_ARP = 0x0806
READ_EVERY = 0.01
REQUEST, REPLY = 1, 2

_ARP = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)


def question(mac: bytes, own: bytes, vip: bytes) -> bytes:
    """RFC 826: who has `vip`, tell `own`; broadcast."""
    return _ARP.pack(b"\xff" * 6, mac, ETH_P_ARP, 1, 0x0800, 6, 4, REQUEST, mac, own, b"\0" * 6, vip)


def heard(frame: bytes, vip: bytes) -> tuple[str, str] | None:
    """(MAC, "answer" or "announcement") if the frame says who has `vip`, else None."""
    if len(frame) < _ARP.size:
        return None
    *_, operation, sender, sender_ip, _, target_ip = _ARP.unpack_from(frame)
    if sender_ip != vip:
        return None
    if target_ip == vip:
        return sender.hex(":"), "announcement"
    return (sender.hex(":"), "answer") if operation == REPLY else None


def read(
    sock: socket.socket, vip: bytes, real_minus_monotonic: float, asked: list[float], recorder: recording.Recorder
) -> None:
    """asked: when each question was sent."""
    while True:
        try:
            frame, control, _, _ = sock.recvmsg(64, _ANCILLARY)
        except BlockingIOError:
            return
        except OSError:  # the interface went down: nobody answers
            return
        if found := heard(frame, vip):
            seconds, nanoseconds = _TIMESPEC.unpack(control[0][2])
            at = seconds + nanoseconds / 1e9 - real_minus_monotonic
            recorder.add(f'[{at:.6f},"{found[0]}","{found[1]}",{bisect.bisect_right(asked, at)}]')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interface", default="eth0")
    parser.add_argument("--own", required=True, help="this host's address")
    parser.add_argument("--vip", required=True)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--real-time", type=int, default=0, metavar="PRIORITY")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    recording.real_time(options.real_time)
    vip = socket.inet_aton(options.vip)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind((options.interface, ETH_P_ARP))
    sock.setblocking(False)
    frame = question(sock.getsockname()[4], socket.inet_aton(options.own), vip)
    real_minus_monotonic = time.time() - time.monotonic()
    pace = recording.Pace(options.rate)
    recorder = recording.Recorder(options.out, start=pace.started, interval=pace.interval)
    asked: list[float] = []
    read_at = 0.0
    while not recorder.stopping:
        pace.wait()
        now = time.monotonic()
        try:
            sock.send(frame)
            asked.append(now)
        except OSError:
            pass
        if now >= read_at:
            read_at = now + READ_EVERY
            read(sock, vip, real_minus_monotonic, asked, recorder)
        if recorder.due(now):
            recorder.flush(now, now - READ_EVERY)
    recorder.end(asked=len(asked))


if __name__ == "__main__":
    main()
