"""A VIP before nginx, and before HAProxy, without IPVS: the most common use of VRRP, and no story of LVS at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from haman.lab.stories import callers
from haman.lab.stories.base import Story
from haman.lab.waiting import until
from haman.lab.workload import START, listens

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.directors import Directors
    from haman.lab.stories.scene import Scene

VIP = "192.0.2.80"

NGINX = """
daemon off; pid /run/nginx.pid; error_log stderr; worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path /run/b; proxy_temp_path /run/p; fastcgi_temp_path /run/f; uwsgi_temp_path /run/u;
  scgi_temp_path /run/s;
  server { listen 80; location / { return 200 "$hostname"; } }
}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend site
  bind 192.0.2.80:80
  bind 192.0.2.81:80
  http-request return status 200 content-type text/plain lf-string "%H"
frontend health
  bind 127.0.0.1:8404
  http-request return status 200
"""

TOLD = "/run/told"
HOOK = f"#!/bin/sh\necho $* >> {TOLD}\n"


class VipOnly(Story):
    name = "vip-only"
    title = "a VIP before nginx, and before HAProxy"
    examples = ("vip-only-nginx.yaml", "vip-only-haproxy.yaml")
    packages = ("nginx", "haproxy", "curl")
    plants: ClassVar = {"blind-trackers": "nobody looks whether the proxy works"}

    def play(self, scene: Scene) -> None:
        self.nginx(scene)
        self.haproxy(scene)

    def nginx(self, scene: Scene) -> None:
        lan = scene.network.segment("web")
        hosts = {
            name: scene.network.host(name, {"eth0": (lan, f"192.0.2.{number}/24")})
            for name, number in (("web1", 11), ("web2", 12))
        }
        client = scene.network.host("browser", {"eth0": (lan, "192.0.2.99/24")})
        first, second = hosts.values()
        pair = scene.directors("vip-only-nginx.yaml", hosts, _blind if scene.planted("blind-trackers") else None)
        for host in hosts.values():
            _nginx(scene, host)
        pair.start()
        with scene.act("nginx runs on both machines"):
            scene.until("clients reach web1", lambda: callers.page(client, VIP) == "web1")
            scene.proved("the standby has the VIP nowhere", VIP not in _addresses(second))
            scene.proved("its own processes reach web1", callers.page(second, VIP) == "web1")
            scene.proved("no IPVS service was made", not _services(first) and not _services(second))
        with scene.act("nginx on web1 is killed"):
            _kill(first, "nginx")
            scene.until("clients reach web2", lambda: callers.page(client, VIP) == "web2")
            scene.until("web1 is at fault", lambda: pair.role("web1") == "fault")
            scene.until("the VIP has left web1", lambda: VIP not in _addresses(first))
        with scene.act("nginx on web1 is back"):
            _nginx(scene, first)
            scene.until("web1 is standby", lambda: pair.role("web1") == "standby")
            scene.proved("no preemption unless asked for: clients stay on web2", callers.page(client, VIP) == "web2")
        for name in hosts:
            pair.stop(name)

    def haproxy(self, scene: Scene) -> None:
        lan = scene.network.segment("proxies")
        hosts = {
            name: scene.network.host(name, {"eth0": (lan, f"192.0.2.{number}/24")})
            for name, number in (("proxy1", 11), ("proxy2", 12))
        }
        gateway = scene.network.host("gateway", {"eth0": (lan, "192.0.2.1/24")})
        client = scene.network.host("client", {"eth0": (lan, "192.0.2.98/24")})
        pair = scene.directors("vip-only-haproxy.yaml", hosts)
        proxies = {name: _haproxy(scene, host) for name, host in hosts.items()}
        for host in hosts.values():
            host.write("/etc/haman/hooks/notify.sh", HOOK, 0o755)
            host.write(TOLD, "", 0o666)
        pair.start()
        with scene.act("HAProxy has bound a VIP that is not there yet"):
            scene.until("clients reach proxy1", lambda: callers.page(client, VIP) == "proxy1")
            scene.until("the hook was told", lambda: "haproxy" in hosts["proxy1"].read(TOLD))
        with scene.act("the cable of proxy1 is cut, and plugged in again"):
            hosts["proxy1"].cut("eth0")
            scene.until("clients reach proxy2", lambda: callers.page(client, VIP) == "proxy2")
            hosts["proxy1"].heal("eth0")
            scene.until("proxy1 is standby", lambda: pair.role("proxy1") == "standby")
        with scene.act("HAProxy on proxy2 hangs, which still runs"):
            proxies["proxy2"].signal(signal.SIGSTOP)
            scene.until("clients reach proxy1", lambda: callers.page(client, VIP) == "proxy1")
            scene.proved("proxy2 says why", "answers: 3 of 3 failed" in pair.nodes["proxy2"].log.read_text())
        with scene.act("the gateway dies, for both"):
            gateway.cut("eth0")
            scene.until("proxy1 counts for less", lambda: _priority(pair, "proxy1") == 90)
            scene.proved("but nothing moves", callers.page(client, VIP) == "proxy1")


def _blind(file: dict[str, object]) -> None:
    del file["routers"]["front"]["track"]  # type: ignore[index]


def _nginx(scene: Scene, host: Host) -> Process:
    host.write("/run/nginx.conf", NGINX)
    log = scene.work / f"{host.name}-nginx.log"
    process = host.spawn("nginx", "-e", "stderr", "-c", "/run/nginx.conf", log=log)
    until(f"nginx on {host.name}", lambda: listens(host, "tcp", 80), START)
    return process


def _haproxy(scene: Scene, host: Host) -> Process:
    host.sysctl("net/ipv4/ip_nonlocal_bind", 1)
    host.write("/run/haproxy.cfg", HAPROXY)
    log = scene.work / f"{host.name}-haproxy.log"
    process = host.spawn("haproxy", "-db", "-f", "/run/haproxy.cfg", log=log)
    until(f"HAProxy on {host.name}", lambda: listens(host, "tcp", 80), START)
    return process


def _kill(host: Host, name: str) -> None:
    for pid in host.processes():
        if Path(f"/proc/{pid}/comm").read_text() == f"{name}\n":
            os.kill(pid, signal.SIGKILL)


def _addresses(host: Host) -> str:
    return host.run("ip", "-4", "-brief", "address").stdout


def _services(host: Host) -> list[str]:
    """The IPVS table of a host without its three lines of heading."""
    return host.read("/proc/thread-self/net/ip_vs").splitlines()[3:]


def _priority(pair: Directors, name: str) -> int:
    return int(pair.status(name)["routers"][0]["priority"])
