"""LocalNode: directors that serve themselves, by 127.0.0.1, by name, on another port; what cannot work is refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import yaml

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story
from haman.lab.stories.directors import EXAMPLES
from haman.lab.stories.doctor import HAMAN, TAKES

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.lab.hosts import Host, Segment
    from haman.lab.stories.scene import Scene

VIP, VIP6 = "10.0.0.100", "2001:db8::100"
REFUSED = 2
SERVED, PORTS = "local-node.yaml", "local-node-port.yaml"
Answers = Counter[str]


class Refusal(NamedTuple):
    """change: what of the example is written otherwise. words: what `haman check` says of it. ipvsadm: the same server
    typed by hand, and `answered`: whether anybody serves then."""

    what: str
    change: Callable[[dict[str, Any]], None]
    words: str
    ipvsadm: tuple[str, ...]
    answered: str


class LocalNode(Story):
    name = "local-node"
    title = "directors that serve themselves, also on another port"
    examples = (SERVED, PORTS)
    plants: ClassVar = {"bound-to-loopback": "the program on the directors listens on 127.0.0.1 alone"}

    def play(self, scene: Scene) -> None:
        self.served(scene)
        self.remapped(scene)
        self.alone(scene)
        self.refused(scene)

    def served(self, scene: Scene) -> None:
        lan = scene.network.segment("lan")
        hosts = _hosts(scene, "", lan, {"lb1": 1, "lb2": 2, "rs1": 11})
        client = _hosts(scene, "", lan, {"client": 9})["client"]
        servers.silent_vip(hosts["rs1"], VIP, VIP6)
        servers.echo(hosts["rs1"], VIP, 514)
        running = {name: servers.web(host, 80, 8080, ipv6=True) for name, host in hosts.items()}
        pair = scene.directors(SERVED, {name: hosts[name] for name in ("lb1", "lb2")})
        pair.start()
        for name in ("lb1", "lb2"):
            servers.echo(hosts[name], VIP, 514)
            if scene.planted("bound-to-loopback"):
                running[name].kill()
                servers.web(hosts[name], 80, 8080, address="127.0.0.1")
        with scene.act("lb1 is active"):
            scene.until("by 127.0.0.1 lb1 and rs1 serve", lambda: _all(_asked(client), {"lb1", "rs1"}))
            self.here(scene, client, "lb1")
            scene.until("by name all three do", lambda: _all(_asked(client, port=8080), {"lb1", "lb2", "rs1"}))
        with scene.act("haman on lb1 is stopped"):
            pair.stop("lb1")
            scene.until("by 127.0.0.1 lb2 and rs1 serve", lambda: _all(_asked(client), {"lb2", "rs1"}))
            self.here(scene, client, "lb2")
            scene.until(
                "by name lb1 serves on: it is a real server still",
                lambda: _all(_asked(client, port=8080), {"lb1", "lb2", "rs1"}),
            )
            pair.stop("lb2")

    def here(self, scene: Scene, client: Host, active: str) -> None:
        found = {active, "rs1"}
        scene.until("the same over IPv6, by ::1", lambda: _all(_asked(client, VIP6), found))
        scene.until("and over UDP", lambda: _all(callers.datagrams(client, VIP, 514, 24), found))

    def remapped(self, scene: Scene) -> None:
        lan = scene.network.segment("lan2")
        hosts = _hosts(scene, "port-", lan, {"lb1": 1, "lb2": 2})
        client = _hosts(scene, "port-", lan, {"client": 9})["client"]
        for number, (name, host) in enumerate(hosts.items(), 1):
            host.sysctl("net/ipv4/ip_forward", 1)
            host.sysctl("net/ipv6/conf/all/forwarding", 1)
            servers.web(host, 8443, ipv6=True, name=name)
            servers.echo(host, f"10.0.0.{number}", 5353, name=name)
        pair = scene.directors(PORTS, hosts)
        pair.start()
        with scene.act("clients call port 443 and 53, programs listen on 8443 and 5353, by full NAT"):
            self.both_ports(scene, client, {"lb1", "lb2"})
        with scene.act("haman on lb1 is stopped, its programs run on"):
            pair.stop("lb1")
            self.both_ports(scene, client, {"lb1", "lb2"})
            pair.stop("lb2")

    def both_ports(self, scene: Scene, client: Host, names: set[str]) -> None:
        scene.until("TCP is served", lambda: _all(_asked(client, port=443), names))
        scene.until("over IPv6 too", lambda: _all(_asked(client, VIP6, 443), names))
        scene.until("and UDP", lambda: _all(callers.datagrams(client, VIP, 53, 24), names))

    def alone(self, scene: Scene) -> None:
        lan = scene.network.segment("lan3")
        hosts = _hosts(scene, "alone-", lan, {"lb1": 1})
        client = _hosts(scene, "alone-", lan, {"client": 9})["client"]
        servers.web(hosts["lb1"], 8443, ipv6=True, name="lb1")
        servers.echo(hosts["lb1"], "10.0.0.1", 5353, name="lb1")
        single = scene.directors(PORTS, hosts, _alone)
        single.start()
        with scene.act("a director that is alone, by plain NAT"):
            self.both_ports(scene, client, {"lb1"})
            single.stop("lb1")

    def refused(self, scene: Scene) -> None:
        lan = scene.network.segment("lan4")
        lb1 = _hosts(scene, "hand-", lan, {"lb1": 1})["lb1"]
        client = _hosts(scene, "hand-", lan, {"client": 9})["client"]
        lb1.ip(f"address add {VIP}/24 dev eth0")
        servers.web(lb1, 80, name="the service's port")
        servers.web(lb1, 8080, name="the entry's port")
        for each in REFUSALS:
            file = scene.work / "refused.yaml"
            content = yaml.safe_load((EXAMPLES / SERVED).read_text())
            each.change(content["services"]["web"]["servers"])
            file.write_text(yaml.safe_dump(content, sort_keys=False))
            with scene.act(f"a file with {each.what}"):
                said = lb1.run(*HAMAN, "check", file, check=False, timeout=TAKES)
                scene.proved("haman check refuses it", said.returncode == REFUSED)
                scene.proved(f"and says: {each.words}", each.words in said.stdout + said.stderr)
                if each.ipvsadm:
                    _typed(lb1, each.ipvsadm)
                    if each.answered:
                        words = f"with ipvsadm the kernel takes it, and {each.answered} answers"
                        scene.until(words, lambda each=each: callers.page(client, VIP) == each.answered)  # type: ignore[misc]
                    else:
                        scene.proved(
                            "with ipvsadm the kernel takes it, and nobody answers", not callers.page(client, VIP)
                        )


def _typed(director: Host, server: tuple[str, ...]) -> None:
    director.run("ipvsadm", "-C")
    director.run("ipvsadm", "-A", "-t", f"{VIP}:80", "-s", "rr")
    director.run("ipvsadm", "-a", "-t", f"{VIP}:80", *server)


def _port(entries: dict[str, Any]) -> None:
    entries["here"]["port"] = 8080


def _translated(entries: dict[str, Any]) -> None:
    entries["here"]["forward"] = "nat"


def _tunnelled(entries: dict[str, Any]) -> None:
    entries["here"]["forward"] = "tun"


def _astray(entries: dict[str, Any]) -> None:
    entries["here"] = {"director": "lb1", "forward": "nat"}


REFUSALS = (
    Refusal(
        "another port by dr",
        _port,
        "packets arrive as they were sent, so the kernel ignores this port",
        ("-g", "-r", "10.0.0.1:8080"),
        "the service's port",
    ),
    Refusal(
        "127.0.0.1 by nat",
        _translated,
        "what comes over a network is not let through to 127.0.0.1",
        ("-m", "-r", "127.0.0.1:80"),
        "",
    ),
    Refusal("127.0.0.1 by tun", _tunnelled, "nothing is wrapped on its way to 127.0.0.1", (), ""),
    Refusal(
        "a director by nat beside another one",
        _astray,
        "answers of director 'lb1' do not come back through 'lb2', which 'forward: nat' needs",
        (),
        "",
    ),
)


def _hosts(scene: Scene, prefix: str, lan: Segment, numbers: dict[str, int]) -> dict[str, Host]:
    """By name without the prefix, which keeps them apart from other acts' hosts."""
    return {
        name: scene.network.host(f"{prefix}{name}", {"eth0": (lan, [f"10.0.0.{n}/24", f"2001:db8::{n}/64"])})
        for name, n in numbers.items()
    }


def _alone(file: dict[str, Any]) -> None:
    del file["directors"]["lb2"]
    file["routers"]["public"]["standby_address"] = "loopback"
    for service in file["services"].values():
        service["forward"] = "nat"
        del service["servers"]["lb2"]


def _asked(client: Host, address: str = VIP, port: int = 80) -> Answers:
    return callers.pages(client, address, 24, port)


def _all(answers: Answers, names: set[str]) -> bool:
    """These and nobody else, and everything was answered."""
    return set(answers) == names
