"""One remote site and every way to it, for rates: what stands between differs, both ends are the same.

    client 10.9.0.9 --- 10.9.0.x (eth0) one of these (eth1) 10.0.0.x --- 10.0.0.11 remote

    .1 lb1     haman, a backup by full NAT: the kernel's way      called at 10.9.0.100
    .2 lb2     haman, a backup by relay                           called at 10.9.0.102
    .3 proxy   HAProxy in TCP mode, nginx's stream module for UDP  called at 10.9.0.101
               the least relay that asyncio allows                called at 10.9.0.103
    .4 router  nothing: it routes                                 the remote's own address

The services of both hamans have a local server that is up, and were moved to the backup by an operator. Nothing is
filtered or tracked but where full NAT needs it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from bench.figures import OURS
from bench.processor import command_line, family
from bench.programs import START, Haman, running
from haman import config
from haman.director.ask import ask
from haman.errors import Unreachable
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from contextlib import ExitStack

    from haman.lab.hosts import Host
    from haman.lab.processes import Process

REMOTE: Final = "10.0.0.11"
PORT, CROWD, BULK = 8001, 8003, 8010
"""What comes back, TCP and UDP; the same, UDP, with a patience of minutes; downloads."""

KERNEL, HAPROXY, NGINX, ASYNCIO, ROUTER = "full NAT", "HAProxy", "nginx", "asyncio", "router"
CALLED: Final = {
    OURS: "10.9.0.102",
    KERNEL: "10.9.0.100",
    HAPROXY: "10.9.0.101",
    NGINX: "10.9.0.101",
    ASYNCIO: "10.9.0.103",
    ROUTER: REMOTE,
}
"""Which address the client calls, by way."""

SESSIONS, FLOWS = 6000, 30_000
"""How many they allow: more than are ever asked for."""

_HAPROXY = f"""
global
    nbthread 1
    maxconn {SESSIONS}
defaults
    mode tcp
    timeout connect 10s
    timeout client 600s
    timeout server 600s
"""
_NGINX = f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; pid /run/nginx.pid; error_log stderr crit;
worker_rlimit_nofile {4 * FLOWS};
events {{ worker_connections {3 * FLOWS}; }}
stream {{
  server {{ listen {CALLED[NGINX]}:{PORT} udp; proxy_pass {REMOTE}:{PORT}; proxy_timeout 3s; }}
  server {{ listen {CALLED[NGINX]}:{CROWD} udp; proxy_pass {REMOTE}:{CROWD}; proxy_timeout 600s; }}
}}
"""


class Way(NamedTuple):
    """name: as in the tables. pid: of the process that hands requests on; None where the kernel does it."""

    name: str
    pid: int | None

    @property
    def called(self) -> str:
        return CALLED[self.name]

    def memory(self) -> int:
        """Bytes that are the process's own."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))


class Place:
    """Everything is up, and answers, when it is made; `open` ends it."""

    def __init__(self, work: Path, open: ExitStack) -> None:
        self._work = work
        self._network = open.enter_context(Network())
        self._outside, self._inside = self._network.segment("outside"), self._network.segment("inside")
        self.client = self._network.host("client", {"eth0": (self._outside, "10.9.0.9/24")})
        self.client.ip(f"route add {REMOTE} via 10.9.0.4")
        self._remote()
        self._between("router", 4)
        kernel = self._haman("lb1", 1, CALLED[KERNEL], {"forward": "fullnat"}, open)
        relay = self._haman("lb2", 2, CALLED[OURS], {"forward": "relay"}, open)
        proxy = self._between("proxy", 3, CALLED[HAPROXY], CALLED[ASYNCIO])
        haproxy = self._spawned(proxy, "haproxy", ["haproxy", "-db", "-f", self._file("haproxy.cfg", _haproxy())])
        nginx = self._spawned(proxy, "nginx", ["nginx", "-e", "stderr", "-c", self._file("nginx.conf", _NGINX)])
        plain = self._spawned(
            proxy,
            "asyncio",
            [*_module("plain_relay"), "--listen", CALLED[ASYNCIO], "--port", str(PORT), "--to", REMOTE],
        )
        self._relay = relay
        self.ways = {
            OURS: Way(OURS, self._relaying()),
            KERNEL: Way(KERNEL, None),
            HAPROXY: Way(HAPROXY, haproxy.pid),
            NGINX: Way(NGINX, nginx.pid),
            ASYNCIO: Way(ASYNCIO, plain.pid),
            ROUTER: Way(ROUTER, None),
        }
        for host, port, protocol in ((proxy, PORT, "t"), (proxy, BULK, "t"), (proxy, CROWD, "u")):
            until(f"{port} on the proxy", lambda h=host, p=port, k=protocol: _listens(h, k, p), START)  # type: ignore[misc]
        until("asyncio's relay", lambda: "serving" in (work / "asyncio.log").read_text(), START)
        self.hamans = (kernel, relay)

    def _between(self, name: str, number: int, *called: str) -> Host:
        addresses = [f"10.9.0.{number}/24", *(f"{each}/24" for each in called)]
        return self._network.host(
            name,
            {"eth0": (self._outside, addresses), "eth1": (self._inside, f"10.0.0.{number}/24")},
            forward=name != "proxy",
        )

    def _remote(self) -> None:
        host = self._network.host("remote", {"eth0": (self._inside, f"{REMOTE}/24")})
        host.ip(
            f"route add {CALLED[KERNEL]} via 10.0.0.1",
            f"route add {CALLED[OURS]} via 10.0.0.2",
            "route add 10.9.0.9 via 10.0.0.4",
        )
        ports = ["--first", str(PORT), "--ports", str(CROWD - PORT + 1), REMOTE]
        for name, arguments in (("load", ports), ("bulk", ["--port", str(BULK)])):
            self._spawned(host, name, [*_module(name), *arguments])
            log = self._work / f"{name}.log"
            until(f"the remote's {name}", lambda log=log: "serving" in log.read_text(), START)  # type: ignore[misc]

    def _spawned(self, host: Host, name: str, argv: list[str]) -> Process:
        return host.spawn(*argv, log=self._work / f"{name}.log")

    def _file(self, name: str, text: str) -> str:
        file = self._work / name
        file.write_text(text)
        return str(file)

    def _haman(self, name: str, number: int, vip: str, way: dict[str, Any], open: ExitStack) -> Process:
        host = self._between(name, number)
        file = self._work / f"{name}.yaml"
        file.write_text(yaml.safe_dump(_text(name, number, vip, way), sort_keys=False))
        process = open.enter_context(running(Haman(), host, config.load(file), file, name))
        until(f"haman on {name}", lambda: _holds(host), START)
        for service in ("tcp", "bulk", "udp", "crowd"):
            host.call(ask, "site", service=service, order="backup")
        until(f"the backup of {name} to serve", lambda: _serves(host), START)
        return process

    def renew(self) -> None:
        """haman's relay is a new process, which has had no session yet. Errors: LabError."""
        old = self.ways[OURS].pid
        assert old is not None
        os.kill(old, signal.SIGKILL)
        self.ways[OURS] = Way(OURS, self._relaying(old))

    def _relaying(self, old: int | None = None) -> int:
        """Its process, once it has taken its orders; not the old one. Errors: LabError."""

        def find() -> int | None:
            return next((each for each in family(self._relay.pid)[1:] if "haman.relay" in command_line(each)), None)

        def ready() -> int | None:
            pid = find()
            services = self._network.hosts["lb2"].call(ask, "status")["services"]
            told = [backup["relay"] for each in services for backup in each.get("backups", ())]
            return pid if pid != old and all(told) else None

        return until("haman's relay", ready, START) or 0


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", f"bench.{name}"]


def _text(name: str, number: int, vip: str, way: dict[str, Any]) -> dict[str, Any]:
    """haman's file: idle times and limits only for the relay."""
    relay = way["forward"] == "relay"
    terms: dict[str, dict[str, Any]] = {
        "tcp": {"sessions": SESSIONS},
        "bulk": {},
        "udp": {"sessions": FLOWS, "idle": "3s"},
        "crowd": {"sessions": FLOWS, "idle": "10m"},
    }
    ports = {"tcp": PORT, "bulk": BULK, "udp": PORT, "crowd": CROWD}
    return {
        "cluster": name,
        "sync": False,
        "directors": {name: {"address": f"10.9.0.{number}"}},
        "routers": {
            "public": {
                "interface": "eth0",
                "vrid": 50 + number,
                "advert_interval": "1s",
                "addresses": [f"{vip}/24"],
            }
        },
        "services": {
            service: {
                "address": vip,
                "port": port,
                "protocol": "tcp" if service in ("tcp", "bulk") else "udp",
                "check": False,
                "servers": {"local": {"address": "10.0.0.99"}},
                "backup": [
                    {"name": "remote", "address": REMOTE, "check": False, **way, **(terms[service] if relay else {})}
                ],
            }
            for service, port in ports.items()
        },
    }


def _haproxy() -> str:
    return _HAPROXY + "".join(
        f"listen port{port}\n    bind {CALLED[HAPROXY]}:{port}\n    server remote {REMOTE}:{port}\n"
        for port in (PORT, BULK)
    )


def _listens(host: Host, kind: str, port: int) -> bool:
    return f":{port}" in host.run("ss", f"-Hln{kind}").stdout


def _holds(host: Host) -> bool:
    try:
        status = host.call(ask, "status")
    except Unreachable:
        return False
    return bool(status["routers"][0]["holds"] and status["kernel"]["loaded"])


def _serves(host: Host) -> bool:
    services = host.call(ask, "status")["services"]
    return all(each["site"]["serves"] == "remote" for each in services if each.get("backups"))
