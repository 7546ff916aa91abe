"""What the lab hears on the cluster's segment: advertisements, and who answers for the VIP."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING

from haman.errors import LabError
from haman.lab.cluster import INTERFACE
from haman.lab.traffic.arp_prober import ETH_P_ARP, heard, question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.cluster import Cluster

VRRP = 112
GROUP = "224.0.0.18"
ANSWER_WITHIN = 0.1
SECOND_ANSWER_WITHIN = 0.02


class SegmentWatch:
    """Sockets on the host `watch`, used from the lab's own process."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._arp = cluster.watch.call(self._open_arp)
        self._vrrp = cluster.watch.call(self._open_vrrp)
        self._vip = socket.inet_aton(cluster.vip)
        self._question = question(self._arp.getsockname()[4], socket.inet_aton(cluster.watch_address), self._vip)
        self._names = {host.mac(INTERFACE): name for name, host in cluster.directors.items()}
        self._addresses = {str(director.address): name for name, director in cluster.model.directors.items()}

    def close(self) -> None:
        self._arp.close()
        self._vrrp.close()

    def _open_arp(self) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        sock.bind((INTERFACE, ETH_P_ARP))
        sock.setblocking(False)
        return sock

    def _open_vrrp(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP)
        sock.setsockopt(
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            socket.inet_aton(GROUP) + socket.inet_aton(self._cluster.watch_address),
        )
        sock.setblocking(False)
        return sock

    def owners(self) -> list[str]:
        """The directors that answer for the VIP now, sorted: asked once, on the segment itself."""
        for _ in _drain(self._arp):
            pass
        self._arp.send(self._question)
        found: set[str] = set()
        patience = ANSWER_WITHIN
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._arp], [], [], left)[0]:
                break
            for frame in _drain(self._arp):
                claim = heard(frame, self._vip)
                if claim and claim[1] == "answer":
                    found.add(self._names.get(claim[0], claim[0]))
                    deadline = min(deadline, time.monotonic() + SECOND_ANSWER_WITHIN)
        return sorted(found)

    def owner(self) -> str | None:
        """The one owner; None while there is none, or more than one."""
        owners = self.owners()
        return owners[0] if len(owners) == 1 else None

    def next_advert(self, director: str, within: float) -> float:
        """Wait for the next advertisement of `director`; returns when it was heard, monotonic seconds."""
        for _ in _drain(self._vrrp):
            pass
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            select.select([self._vrrp], [], [], left)
            for packet in _drain(self._vrrp):
                if self._addresses.get(socket.inet_ntoa(packet[12:16])) == director:
                    return time.monotonic()
        raise LabError(f"no advertisement of {director} within {within:g} s")


def _drain(sock: socket.socket) -> Iterator[bytes]:
    """Everything that is there. An interface that went down in between has nothing to say."""
    with contextlib.suppress(BlockingIOError, OSError):
        while True:
            yield sock.recv(2048)
