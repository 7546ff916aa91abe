"""UDP done right: no client is left with a dead server, whether it keeps its port or each packet is on its own."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.scene import Scene

VIP, ECHO, GAME = "10.0.0.100", 7, 27015
ANSWERS = 20


class Udp(Story):
    name = "udp"
    title = "UDP with clients that keep their port"
    examples = ("udp.yaml",)
    plants: ClassVar = {"quiesced": "a failed server stays in the table with weight 0"}

    def play(self, scene: Scene) -> None:
        lan = scene.network.segment("lan")
        lbs = {
            name: scene.network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}) for n, name in ((1, "lb1"), (2, "lb2"))
        }
        client = scene.network.host("client", {"eth0": (lan, "10.0.0.9/24")})
        rss: dict[str, Host] = {}
        running: dict[str, list[Process]] = {}
        for name, address in (("rs1", "10.0.0.11"), ("rs2", "10.0.0.12")):
            rss[name] = scene.network.host(name, {"eth0": (lan, f"{address}/24")})
            servers.silent_vip(rss[name], VIP)
            running[name] = _serve(rss[name], address)
        pair = scene.directors("udp.yaml", lbs, _quiesced if scene.planted("quiesced") else None)
        pair.start()
        asker, single = callers.Asker(client, VIP, GAME), callers.Asker(client, VIP, ECHO)
        try:
            with scene.act("a client asks from one port"):
                first = scene.until("it is answered", asker.ask)
                scene.proved("by one server all the time", {asker.ask() for _ in range(ANSWERS)} == {first})
                found = [single.ask() for _ in range(ANSWERS)]
                scene.proved("packet by packet both answer in turn", sorted(found) == sorted(["rs1", "rs2"] * 10))
            with scene.act(f"{first} dies, and the client goes on asking"):
                for process in running[first]:
                    process.signal(signal.SIGKILL)
                (other,) = {"rs1", "rs2"} - {first}
                scene.until("the other one answers it", lambda: asker.ask() == other)
                scene.at_most("questions lost after that", 0, _lost(asker))
                scene.until("packet by packet it answers everything", lambda: not _lost(single))
            with scene.act(f"{first} is back"):
                _serve(rss[first], {"rs1": "10.0.0.11", "rs2": "10.0.0.12"}[first])
                scene.until("packet by packet both answer", lambda: {single.ask() for _ in range(4)} == {"rs1", "rs2"})
                scene.at_most("questions the client lost", 0, _lost(asker))
            with scene.act("somebody switches expire_nodest_conn off"):
                path = "net/ipv4/vs/expire_nodest_conn"
                lbs["lb1"].sysctl(path, 0)
                scene.until("haman switches it on again", lambda: lbs["lb1"].read(f"/proc/sys/{path}").strip() == "1")
        finally:
            asker.close()
            single.close()


def _serve(host: Host, own: str) -> list[Process]:
    return [servers.echo(host, address, port) for address in (own, VIP) for port in (GAME, ECHO)]


def _lost(asker: callers.Asker) -> int:
    return [asker.ask() for _ in range(ANSWERS)].count("")


def _quiesced(file: dict[str, object]) -> None:
    file["services"]["game"]["on_failure"] = "quiesce"  # type: ignore[index]
