"""Stands in for the director, so that the elector can be tried alone: argv is NODE INTERVAL --link-fd FD.

It speaks the real link; what it hears it prints as `Type: repr`. SIGKILL, SIGTERM and SIGSTOP are for the tests.
"""

from __future__ import annotations

import socket
import sys
from ipaddress import IPv4Address, IPv4Interface

from haman.model.elector import Configure, ElectorConfig, Heartbeat, Readiness, Roles, RouterConfig, Stopping
from haman.model.routers import Preempt, VirtualAddress
from haman.wire import link

NODES = {"lb1": ("10.0.0.1", 150), "lb2": ("10.0.0.2", 100)}


def main(node: str, interval: float, descriptor: int) -> None:
    address, priority = NODES[node]
    router = RouterConfig(
        name="public",
        vrid=51,
        priority=priority,
        interface="eth0",
        source=IPv4Address(address),
        advert_interval=interval,
        addresses=(VirtualAddress(interface=IPv4Interface("10.0.0.100/24"), device="eth0"),),
        preempt=Preempt(allowed=True),
    )
    end = socket.socket(fileno=descriptor)
    for message in (
        Configure(config=ElectorConfig(generation=1, node=node, routers=(router,))),
        Readiness(generation=1, waiting={}),
        Heartbeat(sent=0.0, patience=600.0),
    ):
        end.sendall(link.encode(message))
    decoder = link.Decoder()
    while data := end.recv(65536):
        for message in decoder.feed(data):
            if not isinstance(message, Heartbeat):
                print(f"{type(message).__name__}: {message}", flush=True)
            if isinstance(message, Roles):  # a fault has taken the readiness away
                end.sendall(link.encode(Readiness(generation=1, waiting={})))
            if isinstance(message, Stopping):
                return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[-1]))
