"""Every forwarding method with real traffic: a director running the real `haman run`, two real servers that are made
ready by the real `haman realserver`, and a client behind a router; TCP and UDP, IPv4 and IPv6.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from haman.director.ask import ask
from haman.errors import Unreachable
from tests.kernel.patience import until

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network

HAMAN = (sys.executable, "-m", "haman")
UPLOAD = 200_000
ROUNDS = 6

SERVER = r"""
import socket, sys, threading
name, tcp_port, udp_port, *udp_hosts = sys.argv[1:]

def serve(connection, peer):
    with connection:
        got = 0
        while data := connection.recv(65536):
            got += len(data)
        connection.sendall(f"{name} {got} {peer[0]}".encode())

def tcp():
    listener = socket.create_server(("::", int(tcp_port)), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=serve, args=(connection, peer), daemon=True).start()

def udp(host):
    port = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    port.bind((host, int(udp_port)))
    while True:
        data, peer = port.recvfrom(2000)
        port.sendto(f"{name} {len(data)} {peer[0]}".encode(), peer)

for host in udp_hosts:
    threading.Thread(target=udp, args=(host,), daemon=True).start()
threading.Thread(target=tcp, daemon=True).start()
print("serving", flush=True)
threading.Event().wait()
"""

CLIENT = r"""
import socket, sys
vip, upload, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for kind, port, size in ((socket.SOCK_STREAM, 80, upload), (socket.SOCK_DGRAM, 53, 10)):
    for _ in range(rounds):
        with socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, kind) as client:
            client.settimeout(20)
            try:
                client.connect((vip, port))
                client.sendall(bytes(size))
                if kind == socket.SOCK_STREAM:
                    client.shutdown(socket.SHUT_WR)
                print(kind.name, client.recv(2000).decode())
            except OSError as error:
                print(kind.name, repr(error))
"""


class Case(NamedTuple):
    """service: what a service has beside address and port. servers: their addresses, by the service's family."""

    service: str
    servers: dict[int, tuple[str, str]]
    port: str = ""


LAN = {4: ("10.0.0.11", "10.0.0.12"), 6: ("fd00::11", "fd00::12")}
FAR = {4: ("10.2.0.11", "10.2.0.12"), 6: ("fd00:2::11", "fd00:2::12")}
INNER = {4: ("10.1.0.11", "10.1.0.12"), 6: ("fd00:1::11", "fd00:1::12")}
CROSSED = {4: FAR[6], 6: FAR[4]}
GUE = "forward: tun, tunnel: {type: gue, port: 6080"
CASES = {
    "dr": Case("forward: dr", LAN),
    "nat": Case("forward: nat", INNER, ", port: {port}"),
    "ipip": Case("forward: tun", FAR),
    "gre": Case("forward: tun, tunnel: {type: gre}", FAR),
    "gre, checksum": Case("forward: tun, tunnel: {type: gre, checksum: full}", FAR),
    "gue": Case(GUE + "}", FAR),
    "gue, checksum": Case(GUE + ", checksum: full}", FAR),
    "gue, remote checksum": Case(GUE + ", checksum: remote}", FAR),
    "ipip across families": Case("forward: tun", CROSSED),
    "gre across families": Case("forward: tun, tunnel: {type: gre}", CROSSED),
    "gue across families": Case(GUE + "}", CROSSED),
}
VIPS = {4: "10.0.0.100", 6: "fd00::100"}


def configuration(case: Case) -> str:
    services = ""
    for version, vip in VIPS.items():
        for protocol, port, inner in (("tcp", 80, 8080), ("udp", 53, 5353)):
            one, two = case.servers[version]
            extra = case.port.format(port=inner)
            services += f"""
  {protocol}{version}:
    {{address: "{vip}", protocol: {protocol}, port: {port}, scheduler: rr, {case.service}, check: false,
     servers: {{rs1: {{address: "{one}"{extra}}}, rs2: {{address: "{two}"{extra}}}}}}}"""
    return f"""
cluster: test
sync: false
directors: {{lb1: {{address: 10.0.0.1, address6: "fd00::1"}}}}
routers:
  public:
    interface: eth0
    vrid: 51
    addresses: [10.0.0.100/24, "fd00::100/64", {{address: 10.1.0.254/24, dev: eth1}},
                {{address: "fd00:1::254/64", dev: eth1}}]
services:{services}
"""


class Site:
    """The director is on `lan` and `inner`; real servers are on each network; the client is behind the router."""

    def __init__(self, network: Network, directory: Path, case: Case) -> None:
        self.directory = directory
        self.file = directory / "haman.yaml"
        self.file.write_text(configuration(case))
        lan, inner, far, out = (network.segment(name) for name in ("lan", "inner", "far", "out"))
        self.router = network.host(
            "router",
            {
                "eth0": (lan, ["10.0.0.254/24", "fd00::fe/64"]),
                "eth1": (far, ["10.2.0.254/24", "fd00:2::fe/64"]),
                "eth2": (out, ["192.0.2.254/24", "2001:db8::fe/64"]),
            },
            forward=True,
        )
        self.director = network.host(
            "lb1",
            {"eth0": (lan, ["10.0.0.1/24", "fd00::1/64"]), "eth1": (inner, ["10.1.0.1/24", "fd00:1::1/64"])},
            forward=True,
        )
        self.client = network.host("client", {"eth0": (out, ["192.0.2.9/24", "2001:db8::9/64"])})
        net = {"10.0.0": (lan, "fd00:", "254", "fe"), "10.2.0": (far, "fd00:2:", "254", "fe")}
        net["10.1.0"] = (inner, "fd00:1:", "254", "254")
        addresses = case.servers[4][0] if "." in case.servers[4][0] else case.servers[6][0]
        segment, six, gateway, gateway6 = net[addresses.rpartition(".")[0]]
        four = addresses.rpartition(".")[0]
        self.servers: dict[str, Host] = {}
        for number in (1, 2):
            host = network.host(f"rs{number}", {"eth0": (segment, [f"{four}.1{number}/24", f"{six}:1{number}/64"])})
            self.servers[f"rs{number}"] = host
            host.ip(f"route add default via {four}.{gateway}", f"route add default via {six}:{gateway6}")
            host.sysctl("net/ipv4/conf/all/rp_filter", 1)  # as distributions have it
        self.director.ip("route add default via 10.0.0.254", "route add default via fd00::fe")
        self.client.ip("route add default via 192.0.2.254", "route add default via 2001:db8::fe")

    def start(self, nat: bool) -> None:
        log = self.directory / "lb1.log"
        self.director.spawn(*HAMAN, "run", "--config", str(self.file), "--node", "lb1", log=log)
        for name, host in self.servers.items():
            host.run(*HAMAN, "realserver", str(self.file), timeout=60)
            four, six = (address.partition("/")[0] for address in self._own(host))
            hosts = (four, six) if nat else tuple(VIPS.values())
            ports = ("8080", "5353") if nat else ("80", "53")
            output = self.directory / f"{name}.log"
            host.spawn(sys.executable, "-c", SERVER, name, *ports, *hosts, log=output)
            until(lambda output=output: "serving" in output.read_text(), 90, logs=[output])
        until(self._active, 90, logs=[log])
        for vip in VIPS.values():  # the announcement has reached the router
            until(
                lambda vip=vip: self.client.run("ping", "-c1", "-W1", vip, check=False).returncode == 0, 90, logs=[log]
            )

    def _own(self, host: Host) -> list[str]:
        words = host.run("ip", "-o", "address", "show", "dev", "eth0", "scope", "global").stdout.split()
        return [words[index + 1] for index, word in enumerate(words) if word in ("inet", "inet6")]

    def _active(self) -> bool:
        try:
            status = self.director.call(ask, "status")
        except Unreachable:
            return False
        return bool(status["routers"][0]["holds"] and status["kernel"]["loaded"])

    def answers(self, vip: str) -> list[str]:
        return self.client.run(
            sys.executable, "-c", CLIENT, vip, str(UPLOAD), str(ROUNDS), timeout=300
        ).stdout.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_traffic_reaches_both_servers(network: Network, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    site = Site(network, tmp_path, case)
    site.start(nat=name == "nat")
    for version, client in ((4, "192.0.2.9"), (6, "2001:db8::9")):
        seen = client if version == 6 else f"::ffff:{client}"
        expected = [f"SOCK_STREAM rs{number} {UPLOAD} {seen}" for number in (1, 2)] * (ROUNDS // 2)
        expected += [f"SOCK_DGRAM rs{number} 10 {client}" for number in (1, 2)] * (ROUNDS // 2)
        assert sorted(site.answers(VIPS[version])) == sorted(expected)
