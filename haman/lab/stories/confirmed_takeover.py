"""Takeovers that ask whether they took: a gateway that ignores announcements, a switch port that loses them, and an old
active director that does not let go of the VIP. IPv4 and IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.request import urlopen

from haman.lab.stories.base import Story
from haman.lab.waiting import until

if TYPE_CHECKING:
    from haman.lab.hosts import Host, Network
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIPS = {"192.0.2.80": 24, "2001:db8::80": 64}
GATEWAY = ("192.0.2.1", "2001:db8::1")
IGNORED = ("net/ipv4/conf/all/drop_gratuitous_arp", "net/ipv6/conf/eth0/drop_unsolicited_na")
TOLD = "/run/told"
HOOK = f'#!/bin/sh\necho "$HAMAN_EVENT" >> {TOLD}\n'

KNOWN = 60.0
"""Seconds until two machines of a quiet segment have spoken."""

LOSING = """
table netdev port {
    chain in {
        type filter hook ingress device "eth0" priority 0; policy accept;
        ether type { arp, ip6 } drop
    }
}
"""


class ConfirmedTakeover(Story):
    name = "confirmed-takeover"
    title = "takeovers that ask whether they took"
    examples = ("confirmed-takeover.yaml",)
    plants: ClassVar = {
        "not-asked": "nobody is asked",
        "told-twice": "who does not answer is told twice, and no more",
        "no-probes": "nobody asks who else has the VIP",
    }

    def play(self, scene: Scene) -> None:
        hosts, gateway = built(scene.network)
        change = {"not-asked": _not_asked, "told-twice": _told_twice}.get(scene.plant)
        pair = scene.directors("confirmed-takeover.yaml", hosts, change)
        pair.start()
        self.deaf(scene, pair, gateway)
        self.lossy(scene, pair, gateway)
        self.stubborn(scene, pair, gateway)

    def deaf(self, scene: Scene, pair: Directors, gateway: Host) -> None:
        for setting in IGNORED:
            gateway.sysctl(setting, 1)
        meet(pair, "lb2", gateway)
        with scene.act("the cable of lb1 is cut, and the gateway ignores announcements to everybody"):
            pair.hosts["lb1"].cut("eth0")
            scene.until("lb2 is active", lambda: pair.role("lb2") == "active")
            scene.until("lb2 says that its takeover is confirmed", lambda: _verdict(pair, "lb2") == "confirmed")
            scene.proved("the gateway has both VIPs at lb2", _all_at(gateway, pair.hosts["lb2"]))
            why = str(takeover(pair, "lb2")["why"])
            scene.note(why)
            # A kernel may know it by its link-local address as well.
            scene.at_least("addresses of its by which it follows", 2, float(why.split(": ")[1].split()[0]))
            scene.until("the hook was told", lambda: "takeover-confirmed" in pair.hosts["lb2"].read(TOLD))
        for setting in IGNORED:
            gateway.sysctl(setting, 0)
        pair.hosts["lb1"].heal("eth0")
        until("lb1 is standby", lambda: pair.role("lb1") == "standby", KNOWN)

    def lossy(self, scene: Scene, pair: Directors, gateway: Host) -> None:
        meet(pair, "lb1", gateway)
        with scene.act("the cable of lb2 is cut, and the gateway's switch port loses what neighbours tell"):
            said = _announced(pair, "lb1")
            gateway.run("nft", "-f", "-", input=LOSING)
            pair.hosts["lb2"].cut("eth0")
            scene.until("lb1 is active", lambda: pair.role("lb1") == "active")
            scene.until("it has announced both VIPs three times", lambda: _announced(pair, "lb1") >= said + 6)
            scene.proved("the gateway does not follow yet", not _all_at(gateway, pair.hosts["lb1"]))
            scene.proved("and lb1 does not call it confirmed", _verdict(pair, "lb1") == "")
        with scene.act("the port forwards again"):
            gateway.run("nft", "delete", "table", "netdev", "port")
            scene.until("lb1 says that its takeover is confirmed", lambda: _verdict(pair, "lb1") == "confirmed")
            scene.proved("the gateway has both VIPs at lb1", _all_at(gateway, pair.hosts["lb1"]))
        pair.hosts["lb2"].heal("eth0")
        until("lb2 is standby", lambda: pair.role("lb2") == "standby", KNOWN)

    def stubborn(self, scene: Scene, pair: Directors, gateway: Host) -> None:
        meet(pair, "lb2", gateway)
        old = pair.hosts["lb1"]
        with scene.act("all of haman on lb1 is killed, and the VIPs stay on its NIC"):
            pair.nodes["lb1"].crash()
            _keep(old)
            scene.until("lb2 is active", lambda: pair.role("lb2") == "active")
            scene.until("lb2 sees a second owner", lambda: _verdict(pair, "lb2") == "second_owner")
            mac = old.mac("eth0")
            scene.proved("by its hardware address", takeover(pair, "lb2")["second_owners"] == [mac])
            problems = pair.status("lb2")["problems"]
            scene.proved("and calls it a problem", any(f"second owner {mac} answers for" in each for each in problems))
            scene.until("the hook was told", lambda: "second-owner" in pair.hosts["lb2"].read(TOLD))
            said = _announced(pair, "lb2")
            scene.until("it is announced against", lambda: _announced(pair, "lb2") > said)
        with scene.act("the VIPs are taken off lb1"):
            old.ip("address flush dev eth0")
            scene.until("lb2 says that its takeover is confirmed", lambda: _verdict(pair, "lb2") == "confirmed")
            scene.proved("and that the other is gone", str(takeover(pair, "lb2")["why"]).endswith("is gone"))
            scene.proved("the gateway has both VIPs at lb2", _all_at(gateway, pair.hosts["lb2"]))
            scene.proved("nothing is a problem any more", not pair.status("lb2")["problems"])


def built(network: Network) -> tuple[dict[str, Host], Host]:
    """The directors' hosts by name, and the gateway."""
    lan = network.segment("edge")
    hosts = {
        name: network.host(name, {"eth0": (lan, (f"192.0.2.{number}/24", f"2001:db8::{number}/64"))})
        for name, number in (("lb1", 11), ("lb2", 12))
    }
    for host in hosts.values():
        host.write("/etc/haman/hooks/notify.sh", HOOK, 0o755)
        host.write(TOLD, "", 0o666)
    return hosts, network.host("gateway", {"eth0": (lan, tuple(map("{}/{}".format, GATEWAY, VIPS.values())))})


def _not_asked(file: dict[str, Any]) -> None:
    _confirm(file, False)


def _told_twice(file: dict[str, Any]) -> None:
    _confirm(file, {"attempts": 2})


def _confirm(file: dict[str, Any], how: object) -> None:
    file["routers"]["front"]["confirm"] = how
    for hook in file["hooks"]:
        hook["on"] = hook.pop(True)  # what plain YAML makes of the word


def meet(pair: Directors, standby: str, gateway: Host) -> None:
    """The gateway has spoken with the VIPs, and the standby with the gateway: each is in the other's table."""
    host = pair.hosts[standby]
    until("the gateway reaches the VIPs", lambda: all(_reaches(gateway, vip) for vip in VIPS), KNOWN)
    until(f"{standby} reaches the gateway", lambda: all(_reaches(host, each) for each in GATEWAY), KNOWN)


def _reaches(host: Host, address: str) -> bool:
    return host.run("ping", "-c1", "-W2", address, check=False).returncode == 0


def _keep(host: Host) -> None:
    """Which of its processes was killed first decides what was left there."""
    for vip, prefix in VIPS.items():
        if f" {vip}/" not in host.run("ip", "-brief", "address", "show", "dev", "eth0").stdout:
            host.add_address("eth0", f"{vip}/{prefix}")


def _all_at(gateway: Host, director: Host) -> bool:
    """The gateway's entries."""
    shown = [gateway.run("ip", "neigh", "show", vip, "dev", "eth0").stdout for vip in VIPS]
    return all(f"lladdr {director.mac('eth0')} " in entry for entry in shown)


def takeover(pair: Directors, name: str) -> dict[str, Any]:
    return dict(pair.status(name)["routers"][0]["takeover"] or {})


def _verdict(pair: Directors, name: str) -> str:
    return str(takeover(pair, name).get("verdict", ""))


def _announced(pair: Directors, name: str) -> int:
    def read() -> str:
        with urlopen("http://127.0.0.1:9112/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    lines = pair.hosts[name].call(read).splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("haman_announcements_total{"))
