"""What real servers of a story run: the lab's small servers, each answering with its host's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.lab.waiting import until
from haman.lab.workload import START, listens, program

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process


def web(host: Host, *ports: int, ipv6: bool = False, address: str = "", name: str = "") -> Process:
    """HTTP: every page is the host's name, or another `name`, and `/healthz` is 200 (503 after SIGUSR1, until SIGUSR2).
    address: listen on this one alone."""
    arguments = ["--name", name or host.name, "--address", address, *(["--ipv6"] if ipv6 else [])]
    arguments += [word for port in ports for word in ("--port", str(port))]
    process = host.spawn(*program("tcp_server", *arguments))
    protocol = "tcp6" if ipv6 else "tcp"
    until(f"{host.name}: the web server", lambda: listens(host, protocol, ports[-1]), START)
    return process


def echo(host: Host, address: str, port: int, name: str = "") -> Process:
    """UDP on this address, which must be there: the VIP, or the host's own where it is NAT that comes. Answers are the
    host's name, or another `name`."""
    process = host.spawn(*program("udp_server", "--address", address, "--port", port, "--name", name or host.name))
    protocol = "udp6" if ":" in address else "udp"
    until(f"{host.name}: the UDP server", lambda: listens(host, protocol, port), START)
    return process


def downloads(host: Host, port: int) -> Process:
    """TCP: numbered chunks, five a second, for as long as a client stays."""
    process = host.spawn(*program("download_server", "--port", port))
    until(f"{host.name}: the download server", lambda: listens(host, "tcp", port), START)
    return process


def parrot(host: Host, port: int) -> Process:
    """TCP: what a client says comes back, for thousands of clients."""
    process = host.spawn(*program("echo_server", "--port", port))
    until(f"{host.name}: the echo server", lambda: listens(host, "tcp", port), START)
    return process


def silent_vip(host: Host, *addresses: str) -> None:
    """What direct routing needs of a real server: the VIPs on `lo`, the ARP sysctls BEFORE them."""
    host.sysctl("net/ipv4/conf/all/arp_ignore", 1)
    host.sysctl("net/ipv4/conf/all/arp_announce", 2)
    host.ip(*(f"address add {each}/{128 if ':' in each else 32} dev lo" for each in addresses))
