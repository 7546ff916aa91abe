"""The clusters that are measured, as haman's YAML, and the same for keepalived, derived from it by the laboratory.

directors d1 10.0.0.1 and d2 10.0.0.2, VIP 10.0.0.100, services on ports from 8001 on, servers from 10.0.0.11 on
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from haman import config
from haman.lab import keepalived

if TYPE_CHECKING:
    from pathlib import Path

    from haman.model.cluster import Cluster

VIP = "10.0.0.100"
PREFIX = 24
DIRECTORS = {"d1": "10.0.0.1", "d2": "10.0.0.2"}
FIRST_PORT = 8001
REAL_TIME = "  vrrp_rt_priority 50\n  vrrp_no_swap\n  checker_no_swap\n"
"""What haman does unasked, in keepalived's words: its VRRP process is an ordinary one unless told otherwise."""


def server_addresses(servers: int) -> list[str]:
    return [f"10.0.0.{11 + number}" for number in range(servers)]


def write(
    path: Path,
    *,
    advert: str,
    services: int = 0,
    servers: int = 0,
    check: dict[str, Any] | None = None,
    routers: int = 1,
) -> Cluster:
    """haman's file, written to `path`. services: how many, each on a port of its own and with all `servers`.
    routers: how many, all on one interface; services are on the first one's VIP."""
    file: dict[str, Any] = {
        "cluster": "bench",
        "sync": False,
        "directors": {
            name: {"address": address, "priority": 150 - 50 * number}
            for number, (name, address) in enumerate(DIRECTORS.items())
        },
        "routers": {
            f"r{number}": {
                "interface": "eth0",
                "vrid": (50 + number) % 255 + 1,
                "advert_interval": advert,
                "addresses": [f"{VIP}/{PREFIX}" if number == 0 else f"10.1.0.{number}/{PREFIX}"],
            }
            for number in range(routers)
        },
    }
    if check is not None:
        file["checks"] = {"front": check}
    if services:
        # Written out for each service, as an operator's generator would: no YAML aliases.
        file["services"] = {
            f"s{number}": {
                "address": VIP,
                "port": FIRST_PORT + number,
                "scheduler": "wlc",
                **({"check": "front"} if check is not None else {}),
                "servers": {f"rs{number}": {"address": ip} for number, ip in enumerate(server_addresses(servers), 1)},
            }
            for number in range(services)
        }
    path.write_text(yaml.safe_dump(file, sort_keys=False))
    return config.load(path)


def keepalived_text(model: Cluster, director: str, *, real_time: bool = False) -> str:
    """keepalived.conf for one director of the same cluster."""
    text = "\n".join(keepalived.configuration(model, director)) + "\n"
    return text.replace("global_defs {\n", "global_defs {\n" + REAL_TIME, 1) if real_time else text
