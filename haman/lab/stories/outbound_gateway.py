"""An outbound gateway (Janusz Krzysztofik's): intranet clients, balanced over two providers' routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.stories.scene import Scene

OUTSIDE = "198.51.100.80"
CLIENTS = [f"192.168.0.{number}" for number in range(100, 116)]
LINES = {"dsl": 21, "fibre": 22}


class OutboundGateway(Story):
    name = "outbound-gateway"
    title = "intranet clients over two providers' routers"
    examples = ("outbound-gateway.yaml",)
    plants: ClassVar = {"no-masquerade": "packets leave with the clients' own addresses"}

    def play(self, scene: Scene) -> None:
        inside, between = scene.network.segment("inside"), scene.network.segment("between")
        hosts = {
            f"gw{number}": scene.network.host(
                f"gw{number}",
                {"eth0": (inside, f"192.168.0.{number + 1}/24"), "eth1": (between, f"10.9.0.{number}/24")},
                forward=True,
            )
            for number in (1, 2)
        }
        client = scene.network.host("client", {"eth0": (inside, ["192.168.0.99/24", *(f"{a}/24" for a in CLIENTS)])})
        client.route("default", via="192.168.0.1")
        routers = {}
        for name, number in LINES.items():
            line = scene.network.segment(name)
            addresses = {"eth0": (between, f"10.9.0.{number}/24"), "eth1": (line, f"198.51.100.{number}/24")}
            routers[name] = scene.network.host(f"r-{name}", addresses, forward=True)
            site = scene.network.host(name, {"eth0": (line, f"{OUTSIDE}/24")})
            site.route("default", via=f"198.51.100.{number}")
            servers.web(site, 80)
            servers.echo(site, OUTSIDE, 53)
        pair = scene.directors("outbound-gateway.yaml", hosts, _bare if scene.planted("no-masquerade") else None)
        pair.start()
        with scene.act("both lines work"):
            scene.until("clients reach the outside", lambda: callers.page(client, OUTSIDE))
            found = _lines(client)
            scene.proved("sixteen clients are on both lines", set(found.values()) == set(LINES))
            scene.proved("each stays on its line", _lines(client) == found)
            own = set(callers.pages(client, OUTSIDE, 5))
            scene.proved("UDP goes out by the same one", set(callers.datagrams(client, OUTSIDE, 53, 10)) == own)
            scene.proved("no router knows the intranet", not any(_knows(host) for host in routers.values()))
        with scene.act("dsl is cut off"):
            routers["dsl"].cut("eth0")
            scene.until("everybody is on fibre", lambda: set(_lines(client).values()) == {"fibre"})
        with scene.act("the active director is stopped"):
            active = pair.active()
            pair.stop(active)
            scene.until("the other one is active", lambda: pair.active() not in ("", active))
            scene.until("clients reach the outside", lambda: callers.page(client, OUTSIDE) == "fibre")


def _lines(client: Host) -> dict[str, str]:
    return {each: callers.page(client, OUTSIDE, source=each) for each in CLIENTS}


def _knows(router: Host) -> bool:
    return "192.168" in router.run("ip", "route").stdout


def _bare(file: dict[str, Any]) -> None:
    file["services"]["internet"]["masquerade"] = False
