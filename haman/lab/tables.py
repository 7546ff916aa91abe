"""The IPVS table and connections of a host, read from /proc as the kernel prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.lab.hosts import Host


def table(host: Host) -> str:
    """The services and servers with schedulers, methods and weights, without counters: equal texts, equal tables."""
    lines = []
    for line in host.read("/proc/thread-self/net/ip_vs").splitlines()[3:]:
        fields = line.split()
        lines.append(" ".join(fields[:4]) if fields[0] == "->" else " ".join(fields))
    return "\n".join(lines)


def servers(host: Host) -> list[str]:
    """The addresses of the servers in the table, one per service and server, sorted."""
    found = []
    for line in table(host).splitlines():
        fields = line.split()
        if fields[0] == "->":
            packed = bytes.fromhex(fields[1].partition(":")[0])
            found.append(".".join(map(str, packed)))
    return sorted(found)


def readable(host: Host) -> str:
    """The same for people, with the numbers of connections: what `ipvsadm -Ln` prints."""
    return host.run("ipvsadm", "-Ln").stdout.strip()


def connections(host: Host, port: int) -> set[tuple[str, str]]:
    """The connections to a service's port: (client address, client port), as /proc/net/ip_vs_conn writes them."""
    wanted = f"{port:04X}"
    found = set()
    for line in host.read("/proc/thread-self/net/ip_vs_conn").splitlines()[1:]:
        fields = line.split()
        if fields[4] == wanted:
            found.add((fields[1], fields[2]))
    return found
