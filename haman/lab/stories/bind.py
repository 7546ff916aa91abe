"""Debian's BIND on hosts of a story, authoritative for one zone, and a client that asks it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from haman.lab.covers import PROJECT
from haman.lab.waiting import until
from haman.lab.workload import START, listens
from haman.wire import dns

if TYPE_CHECKING:
    from haman.lab.hosts import Host
    from haman.lab.processes import Process
    from haman.lab.stories.scene import Scene

ZONE = "example.com"
HOOK = PROJECT / "etc" / "examples" / "hooks" / "named.sh"

_CONFIGURATION = """
options {{
  directory "{folder}"; pid-file "/run/named/named.pid"; session-keyfile "/run/named/session.key";
  listen-on-v6 {{ none; }}; automatic-interface-scan no; interface-interval 0;
  recursion no; dnssec-validation no;
}};
controls {{ }};
zone "{zone}" {{ type primary; file "{folder}/zone"; }};
"""
"""It looks at the addresses when it starts and when it is told to, as one that may no longer bind port 53 later."""

_DATA = """
$TTL 300
@ IN SOA ns.{zone}. hostmaster.{zone}. 2026112200 3600 900 604800 300
@ IN NS ns.{zone}.
ns IN A 192.0.2.53
who IN TXT {host}
"""
"""One record says who answers: `id.server` would too (RFC 4892), but BIND answers that three times a second at most."""

WITHIN = 2.0
"""Seconds an answer may take."""


def serve(scene: Scene, host: Host) -> Process:
    """Start named; returns when it listens."""
    folder = scene.work / f"{host.name}-named"
    folder.mkdir(exist_ok=True)
    (folder / "zone").write_text(_DATA.format(zone=ZONE, host=host.name))
    (folder / "named.conf").write_text(_CONFIGURATION.format(folder=folder, zone=ZONE))
    host.write("/run/named/started", "")
    command = ["named", "-g", "-n", "1", "-c", str(folder / "named.conf")]
    process = host.spawn(*command, log=scene.work / f"{host.name}-named.log")
    until(f"named on {host.name}", lambda: listens(host, "udp", 53), START)
    return process


def soa(client: Host, address: str, *, tcp: bool = False) -> str:
    """Asks for the zone's SOA: the response code (`noerror`), empty without an answer or a record."""
    answer = client.call(_ask, address, ZONE, dns.Type.SOA, tcp)
    return dns.Rcode(answer[0]).name.lower() if answer and answer[1] else ""


def who(client: Host, address: str, *, tcp: bool = False) -> str:
    """The name of the server that answers; empty without an answer."""
    answer = client.call(_ask, address, f"who.{ZONE}", dns.Type.TXT, tcp)
    return answer[1][1:].decode() if answer else ""


def _ask(address: str, name: str, kind: int, tcp: bool) -> tuple[int, bytes] | None:
    """The response code and the first record's data, from a socket of its own."""
    section = dns.question(name, kind, dns.Class.IN)
    identifier = int.from_bytes(os.urandom(2), "big")
    packet = identifier.to_bytes(2, "big") + dns.query(section, recursion=False)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
        sock.settimeout(WITHIN)
        try:
            sock.connect((address, 53))
            sock.sendall(len(packet).to_bytes(2, "big") + packet if tcp else packet)
            answer = sock.recv(4096)[2:] if tcp else sock.recv(4096)
        except OSError:
            return None
    found = dns.head(answer, identifier, section)
    if isinstance(found, dns.Refusal):
        return None
    record = next(iter(dns.records(answer, found)), None)
    return found.rcode, answer[record.start : record.end] if record else b""
