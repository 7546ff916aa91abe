"""Two whole clusters back each other up; both lose all their servers at once, and nothing goes round in circles."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from haman.lab.stories import callers, servers
from haman.lab.stories.base import Story
from haman.lab.stories.gaps import Clients

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

NETWORKS = {"west": "198.51.100", "east": "203.0.113"}
PORT = 80


class TwoOffices(Story):
    name = "two-offices"
    title = "two offices back each other up, and both lose all their servers at once"
    examples = ("two-offices-west.yaml", "two-offices-east.yaml")
    plants: ClassVar = {"left-alone": "neither office has a backup"}

    def play(self, scene: Scene) -> None:
        lans = {side: scene.network.segment(side) for side in NETWORKS}
        border = scene.network.host(
            "border",
            {f"eth{n}": (lans[side], f"{NETWORKS[side]}.14/24") for n, side in enumerate(NETWORKS)},
            forward=True,
        )
        clusters, web, rss = {}, {}, {}
        for side, net in NETWORKS.items():
            hosts = {
                f"{side}{number}": scene.network.host(
                    f"{side}{number}", {"eth0": (lans[side], f"{net}.{number}/24")}, forward=True
                )
                for number in (1, 2)
            }
            rss[side] = scene.network.host(f"{side}-rs", {"eth0": (lans[side], f"{net}.11/24")})
            for host in (*hosts.values(), rss[side]):
                host.ip(f"route add default via {net}.14")
            servers.silent_vip(rss[side], f"{net}.10")
            web[side] = servers.web(rss[side], PORT)
            change = _left_alone if scene.planted("left-alone") else None
            clusters[side] = scene.directors(f"two-offices-{side}.yaml", hosts, change)
        clients = {}
        for side, net in NETWORKS.items():
            clients[side] = scene.network.host(f"client-{side}", {"eth0": (lans[side], f"{net}.9/24")})
            clients[side].ip(f"route add default via {net}.14")
        for cluster in clusters.values():
            cluster.start()
        with scene.act("all servers run"):
            for side in NETWORKS:
                scene.until(f"{side} is served by itself", partial(_serves_itself, clients[side], side))
                scene.until("its backup was checked", partial(_has_backup, clusters[side]))
        west = Clients(clients["west"], scene.work, f"{NETWORKS['west']}.10", web=PORT)
        with west.act(scene, "the west loses its server"):
            web["west"].signal(signal.SIGKILL)
            scene.until("the east answers for it", lambda: _asked(clients["west"], "west") == "east-rs")
            scene.proved("and for itself", _asked(clients["east"], "east") == "east-rs")
            scene.until(
                "the east learns that the west is down, and is not answered by itself",
                lambda: _backup(clusters["east"]) == "down",
            )
        passing = [border, *(host for cluster in clusters.values() for host in cluster.hosts.values())]
        with west.act(scene, "the east loses its server too"):
            web["east"].signal(signal.SIGKILL)
            for side in NETWORKS:
                scene.until(f"clients of the {side} are refused, at once", partial(_refuses, clients[side], side))
            for side in NETWORKS:
                scene.until(f"the {side} knows that there is nobody", partial(_nobody, clusters[side]))
                scene.proved("and refuses", _refuses(clients[side], side))
            scene.at_most("packets that went round until their TTL ended", 0, sum(map(_expired, passing)))
        with west.act(scene, "the east has its server back"):
            servers.web(rss["east"], PORT)
            scene.until("it answers for itself", lambda: _asked(clients["east"], "east") == "east-rs")
            scene.until("and for the west", lambda: _asked(clients["west"], "west") == "east-rs")
        with west.act(scene, "the west has its server back"):
            servers.web(rss["west"], PORT)
            scene.until("it answers for itself again", lambda: _asked(clients["west"], "west") == "west-rs")


def _asked(client: Host, side: str) -> str:
    return callers.page(client, f"{NETWORKS[side]}.10")


def _serves_itself(client: Host, side: str) -> bool:
    return _asked(client, side) == f"{side}-rs"


def _has_backup(cluster: Directors) -> bool:
    return _backup(cluster) == "up"


def _refuses(client: Host, side: str) -> bool:
    return callers.refused(client, f"{NETWORKS[side]}.10", PORT)


def _backup(cluster: Directors) -> str:
    """How the backup is, as the active director has it."""
    active = cluster.active()
    backups = cluster.status(active)["services"][0]["backups"] if active else []
    return str(backups[0]["state"]) if backups else ""


def _nobody(cluster: Directors) -> bool:
    """Neither a local server nor the backup, as the active director has it."""
    active = cluster.active()
    service = cluster.status(active)["services"][0] if active else None
    return service is not None and service["state"] == service["backups"][0]["state"] == "down"


def _expired(host: Host) -> int:
    """How often this host told a sender that a packet's TTL had ended here."""
    counters = host.run("cat", "/proc/net/snmp").stdout.splitlines()
    names, values = (line.split()[1:] for line in counters if line.startswith("Icmp:"))
    return int(dict(zip(names, values, strict=True))["OutTimeExcds"])


def _left_alone(file: dict[str, object]) -> None:
    service = file["services"]["web"]  # type: ignore[index]
    del service["backup"], service["failover"]
