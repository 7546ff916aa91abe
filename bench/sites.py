"""Sites for rates: a client, a director, two real servers, twice the same; one director has its table from haman, the
other from ipvsadm.

    client 10.9.0.9 --- eth0 director eth1 --- 10.0.0.11, .12 real servers, which have an eth1 to the client as well

Direct routing and tunnels are answered by that second way; NAT by the director, full NAT to the director.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import yaml

from bench import methods
from bench.figures import OURS
from bench.programs import START, Haman, running
from haman import config
from haman.director.ask import ask
from haman.errors import LabError, Unreachable
from haman.lab.hosts import Network
from haman.lab.waiting import until

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from haman.lab.processes import Process

HAND = "ipvsadm"
PROXY = {4: "10.9.0.101", 6: "fd09::101"}
HAPROXY = """
global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
"""


class Site:
    """name: OURS or HAND. table: of bench.methods. Everything is up and ready when it is made; `open` ends it."""

    def __init__(self, table: str, name: str, work: Path, open: ExitStack) -> None:
        self.table = table
        self.name = name
        work = work / f"{table}-{name}"
        work.mkdir()
        self._file = work / "haman.yaml"
        self._file.write_text(yaml.safe_dump(methods.file(table), sort_keys=False))
        network = open.enter_context(Network())
        outside, inside = network.segment("outside"), network.segment("inside")
        self._network, self._outside, self._inside = network, outside, inside
        self.client = network.host("client", {"eth0": (outside, ["10.9.0.9/24", "fd09::9/64"])})
        self.director = network.host(
            "lb1",
            {"eth0": (outside, ["10.9.0.1/24", "fd09::1/64"]), "eth1": (inside, ["10.0.0.1/24", "fd00::1/64"])},
            forward=True,
        )
        for number in (1, 2):
            self._server(number, work)
        self._model = config.load(self._file)
        self.haman: Process | None = None
        if name == OURS:
            self.haman = open.enter_context(running(Haman(), self.director, self._model, self._file, "lb1"))
            until(f"haman with table {table}", self._serves, START)
        else:
            self._type()

    def _server(self, number: int, work: Path) -> None:
        own = [f"10.0.0.1{number}/24", f"10.0.0.2{number}/24", f"fd00::1{number}/64", f"fd00::2{number}/64"]
        host = self._network.host(
            f"rs{number}",
            {"eth0": (self._inside, own), "eth1": (self._outside, [f"10.9.0.1{number}/24", f"fd09::1{number}/64"])},
        )
        host.ip("route add default via 10.0.0.1 table 7", "route add default via fd00::1 table 7")
        for family, each in (("-4", f"10.0.0.2{number}"), ("-6", f"fd00::2{number}")):
            host.run("ip", family, "rule", "add", "from", each, "lookup", "7")
        host.run(sys.executable, "-m", "haman", "realserver", self._file, timeout=120)
        vips = methods.VIPS.values() if self.table != methods.FULL else ()
        addresses = [*vips, *(each.partition("/")[0] for each in own)]
        log = work / f"rs{number}.log"
        ports = ("--first", str(methods.FIRST_PORT), "--ports", str(len(methods.METHODS)))
        host.spawn(sys.executable, "-m", "bench.load", *ports, *addresses, log=log)
        until(f"the server of rs{number}", lambda: "serving" in log.read_text(), START)

    def _serves(self) -> bool:
        try:
            status = self.director.call(ask, "status")
        except Unreachable:
            return False
        return bool(status["routers"][0]["holds"] and status["kernel"]["loaded"])

    def _type(self) -> None:
        for vip, length in zip(methods.VIPS.values(), (24, 64), strict=True):
            self.director.add_address("eth0", f"{vip}/{length}")
        self.director.run("ipvsadm", "-R", input=methods.by_hand(self.table))
        if rules := methods.rules_by_hand(self.table):
            self.director.run("nft", "-f", "-", input=rules)

    def proxy(self, work: Path) -> None:
        """HAProxy in TCP mode before the same real servers, on a machine of its own that filters and tracks nothing."""
        host = self._network.host(
            "proxy",
            {
                "eth0": (self._outside, [f"{PROXY[4]}/24", f"{PROXY[6]}/64"]),
                "eth1": (self._inside, ["10.0.0.3/24", "fd00::3/64"]),
            },
        )
        (method,) = methods.of(methods.FULL)
        text = HAPROXY
        for version, address in PROXY.items():
            text += f"listen shop{version}\n    bind [{address}]:{method.port}\n".replace("[10.9.0.101]", "10.9.0.101")
            for number, server in enumerate(method.servers[version], 1):
                text += f"    server rs{number} {f'[{server}]' if version == 6 else server}:{method.port}\n"
        file = work / "haproxy.cfg"
        file.write_text(text)
        log = work / "haproxy.log"
        host.spawn("haproxy", "-db", "-f", file, log=log)
        until(f"HAProxy ({log})", lambda: f":{method.port}" in host.run("ss", "-Hltn").stdout, START)

    def dump(self) -> str:
        """The table in ipvsadm's words, and the settings that say what it costs, in an order of their own."""
        lines = self.director.run("ipvsadm", "-Sn").stdout.splitlines()
        return "\n".join([*sorted(lines), *self._settings()])

    def _settings(self) -> list[str]:
        names = self.director.run("ls", "/proc/sys/net/ipv4/vs").stdout.split()
        return [f"{name}={self.director.read(f'/proc/sys/net/ipv4/vs/{name}').strip()}" for name in names]

    def level_with(self, ours: Site) -> None:
        """What haman has beside its services is typed here too: its settings, and the service that is never removed.
        Errors: LabError unless the two tables are the same then, to the letter."""
        held = ours.dump().splitlines()
        own = self.dump().splitlines()
        for line in held:
            if line not in own and not line.startswith("-"):
                name, _, value = line.partition("=")
                self.director.sysctl(f"net/ipv4/vs/{name}", value)
        sentinel = [line for line in held if line.startswith("-A -f") and f"-f {methods.MARK} " not in line]
        self.director.run("ipvsadm", "-R", input="\n".join([*sentinel, ""]))
        if self.dump() != ours.dump():
            raise LabError(f"table {self.table} differs:\n{ours.dump()}\n-- by hand --\n{self.dump()}")
