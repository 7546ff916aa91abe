"""What RFC 9568 asks of a router's data path, on a real kernel: who answers for the VIP, who takes what is sent to it,
what is forwarded, and what a takeover looks like on the wire. docs/reference/rfc9568.md names these tests.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from haman.wire import ndp, vrrp
from haman.wire.advertisement import GROUPS, Advertisement
from haman.wire.packet import Packet
from tests.kernel.mixed import LINK_LOCAL_VIP, VIP, VIP6, Haman
from tests.kernel.patience import until
from tests.wire.dissector import complaints, framed, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from haman.lab.hosts import Host, Network

pytestmark = pytest.mark.kernel

SOLICITED_NODE = "ff02::1:ff00:100"
FIELDS = [
    "eth.src", "ip.src", "ip.dst", "ip.ttl", "ip.proto", "ipv6.src", "ipv6.dst", "ipv6.hlim", "vrrp.version",
    "vrrp.prio", "vrrp.ip_addr", "vrrp.ipv6_addr", "vrrp.reserved_mbz", "arp.opcode", "arp.isgratuitous",
    "arp.src.hw_mac", "arp.src.proto_ipv4", "icmpv6.type", "icmpv6.nd.na.target_address", "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.r", "icmpv6.nd.na.flag.o", "icmpv6.opt.linkaddr",
]  # fmt: skip
ROUTER_ADVERTISEMENT = 134
_ALL = 0x0003  # ETH_P_ALL
_SO_RCVBUFFORCE = 33


class Ear:
    """Every frame that comes to an interface of a host, since it was opened."""

    def __init__(self, host: Host, interface: str = "eth0") -> None:
        self._socket = host.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        self._socket.bind((interface, _ALL))
        self._socket.setblocking(False)
        self._frames: list[bytes] = []

    def frames(self) -> list[bytes]:
        """All there were until now."""
        while True:
            try:
                frame, address = self._socket.recvfrom(2048)
            except BlockingIOError:
                return self._frames
            if address[2] != socket.PACKET_OUTGOING:
                self._frames.append(frame)

    def read(self) -> list[dict[str, str]]:
        """What directors say, as Wireshark reads it: advertisements, ARP, neighbour discovery."""
        return read([frame for frame in self.frames() if _kind(frame) in ("vrrp", "arp", "nd")], FIELDS)

    def close(self) -> None:
        self._socket.close()


def _kind(frame: bytes) -> str:
    match frame[12:14]:
        case b"\x08\x06":
            return "arp"
        case b"\x08\x00" if frame[23] == 112:
            return "vrrp"
        case b"\x86\xdd" if frame[20] == 112:
            return "vrrp"
        case b"\x86\xdd" if frame[20] == 58 and frame[54] in (135, 136):
            return "nd"
    return ""


class Scene:
    """Two directors, of which lb1 also routes to a segment behind it; a neighbour before, and a host behind."""

    def __init__(self, network: Network, work: Path) -> None:
        self.work = work
        lan, behind = network.segment("lan"), network.segment("behind")
        first = network.host(
            "lb1",
            {"eth0": (lan, ["10.0.0.1/24", "2001:db8::1/64"]), "eth1": (behind, ["10.1.0.1/24", "2001:db8:1::1/64"])},
            forward=True,
        )
        second = network.host("lb2", {"eth0": (lan, ["10.0.0.2/24", "2001:db8::2/64"])})
        self.sides = [Haman(first, work), Haman(second, work)]
        self.neighbour = network.host("near", {"eth0": (lan, ["10.0.0.9/24", "2001:db8::9/64"])})
        self.far = network.host("far", {"eth0": (behind, ["10.1.0.9/24", "2001:db8:1::9/64"])})
        for host, gateways in (
            (self.neighbour, ("10.0.0.1", "2001:db8::1")),
            (self.far, ("10.1.0.1", "2001:db8:1::1")),
        ):
            for gateway in gateways:
                host.route("default", via=gateway)

    def run(self, **settings: Any) -> None:
        """lb1 is active and lb2 stands by, and all is settled."""
        self.start(**settings)
        first, second = self.sides
        self.until(lambda: first.holds(VIP) and first.holds(VIP6) and second.standby() and not second.holds(VIP))

    def start(self, **settings: Any) -> None:
        router = {"interface": "eth0", "vrid": 51, "advert_interval": "1s", "preempt": True}
        router |= {"addresses": [f"{VIP}/24", f"{VIP6}/64", f"{LINK_LOCAL_VIP}/64"], "checksum": "pseudo-header"}
        whole = {
            "cluster": "rfc",
            "directors": {
                "lb1": {"address": "10.0.0.1", "priority": 150},
                "lb2": {"address": "10.0.0.2", "priority": 100},
            },
            "routers": {"public": router | settings},
        }
        file = self.work / "haman.yaml"
        file.write_text(yaml.safe_dump(whole))
        for side in self.sides:
            side.begin(file)

    def until(self, condition: Callable[[], object], within: float = 60.0) -> None:
        until(condition, within, logs=[side.log for side in self.sides])

    def ask(self, vip: str) -> None:
        """Forget who had it, and ask the segment anew."""
        self.neighbour.run("ip", "neighbour", "flush", "to", vip, check=False)
        self.neighbour.run("ping", "-c1", "-W2", vip)

    def answered(self, ear: Ear) -> set[tuple[str, str]]:
        """Hardware addresses in the answers for a VIP, asked for or not, and the VIPs."""
        rows = ear.read()
        four = {(row["arp.src.hw_mac"], row["arp.src.proto_ipv4"]) for row in rows if row["arp.opcode"]}
        six = {(row["icmpv6.opt.linkaddr"], row["icmpv6.nd.na.target_address"]) for row in rows if row["icmpv6.type"]}
        return {pair for pair in four | six if pair[1] in (VIP, VIP6)}


@pytest.fixture
def scene(network: Network, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(network, tmp_path)
    yield scene
    for side in scene.sides:
        side.stop()
        assert "Traceback" not in side.log.read_text()


@pytest.fixture
def ear(scene: Scene) -> Iterator[Ear]:
    ear = Ear(scene.neighbour)
    yield ear
    ear.close()


@pytest.mark.parametrize("place", ["nowhere", "loopback"])
def test_only_the_active_router_answers_for_the_address(scene: Scene, place: str) -> None:
    """Sections 6.4.2 and 6.4.3. With its own hardware address, not the virtual router's (sections 7.3, 8.1.2, 8.2.2);
    it is in the solicited-node group; and it says in the answer that it routes when it does."""
    scene.run(standby_address=place)
    first, second = scene.sides
    groups = [side.host.run("ip", "-6", "maddress", "show", "dev", "eth0").stdout for side in scene.sides]
    assert SOLICITED_NODE in groups[0]
    assert SOLICITED_NODE not in groups[1]
    ear = Ear(scene.neighbour)  # after the announcements of the takeover
    for _ in range(5):
        scene.ask(VIP)
        scene.ask(VIP6)
    macs = {first.host.mac("eth0")}
    assert scene.answered(ear) == {(mac, vip) for mac in macs for vip in (VIP, VIP6)}
    assert second.host.mac("eth0") not in macs
    solicited = [row for row in ear.read() if row["icmpv6.nd.na.flag.s"] == "1"]
    assert {row["icmpv6.nd.na.flag.r"] for row in solicited if row["icmpv6.nd.na.target_address"] == VIP6} == {"1"}
    ear.close()


@pytest.mark.parametrize(("place", "accepts"), [("nowhere", False), ("loopback", True)])
def test_a_standby_takes_what_is_sent_to_the_address_only_where_it_has_it_on_lo(
    scene: Scene, place: str, accepts: bool
) -> None:
    """Section 6.4.2 forbids it. With the VIP on `lo` haman breaks that on purpose: what comes late is still served."""
    scene.run(standby_address=place)
    for vip in (VIP, VIP6):
        scene.neighbour.ip(f"neighbour replace {vip} lladdr {scene.sides[1].host.mac('eth0')} dev eth0 nud permanent")
        scene.neighbour.run("ping", "-c1", "-W2", "10.0.0.2")  # lb2 knows where to answer
        answer = scene.neighbour.run("ping", "-c2", "-W2", vip, check=False)
        assert (answer.returncode == 0) is accepts, answer.stdout


def test_the_active_router_takes_what_is_sent_to_the_address(scene: Scene) -> None:
    """Section 6.4.3, as if Accept_Mode were True: the VIP is a service's address, and is there to be connected to."""
    scene.run()
    for vip in (VIP, VIP6):
        scene.neighbour.run("ping", "-c1", "-W5", vip)


def test_a_takeover_on_the_wire(scene: Scene, ear: Ear) -> None:
    """Sections 5.1, 5.2, 6.4 and 7.2: TTL 255, protocol 112, the group, the primary or link-local source, no reserved
    bit, a goodbye of priority 0, announcements; no malformed packet, no wrong checksum, as Wireshark sees it. The
    source of the frames is the NIC's own hardware address."""
    scene.run()
    first, second = scene.sides
    macs = [side.host.mac("eth0") for side in scene.sides]
    first.stop()
    scene.until(lambda: second.holds(VIP) and second.holds(VIP6))
    told = {(macs[1], VIP), (macs[1], VIP6)}
    scene.until(lambda: told <= scene.answered(ear))
    rows = ear.read()
    assert complaints(rows) == []
    adverts = [row for row in rows if row["vrrp.version"]]
    assert {row["vrrp.reserved_mbz"] for row in adverts} == {"0"}
    over4 = {tuple(row[key] for key in FIELDS[:5]) for row in adverts if row["ip.src"]}
    assert over4 == {(mac, f"10.0.0.{n}", "224.0.0.18", "255", "112") for n, mac in enumerate(macs, 1)}
    over6 = {(row["eth.src"], row["ipv6.dst"], row["ipv6.hlim"]) for row in adverts if row["ipv6.src"]}
    assert over6 == {(mac, "ff02::12", "255") for mac in macs}
    assert all(row["ipv6.src"].startswith("fe80::") for row in adverts if row["ipv6.src"])
    assert {row["vrrp.ip_addr"] for row in adverts if row["ip.src"]} == {VIP}
    assert {row["vrrp.ipv6_addr"] for row in adverts if row["ipv6.src"]} == {f"{LINK_LOCAL_VIP},{VIP6}"}
    said = [(row["eth.src"], row["vrrp.prio"]) for row in adverts if row["ip.src"]]
    mine = {priority for mac, priority in said if mac == macs[0]}
    assert mine - {"1"} == {"150", "0"}, "1: to its successor, that it was there; perhaps not read yet"
    assert (macs[1], "0") not in said
    announced = [row for row in rows if row["eth.src"] == macs[1] and row["arp.isgratuitous"]]
    assert {row["arp.opcode"] for row in announced} == {"1"}
    unsolicited = [row for row in rows if row["icmpv6.type"] == "136" and row["icmpv6.nd.na.flag.s"] == "0"]
    assert {row["icmpv6.nd.na.flag.o"] for row in unsolicited if row["eth.src"] == macs[1]} == {"1"}


def test_whoever_believes_an_announcement_is_answered(scene: Scene, ear: Ear) -> None:
    """Sections 6.4.2, 8.1.2 and 8.2.2: the advertisement goes first, and nothing is announced before the address is
    there."""
    scene.neighbour.ip(f"neighbour replace {VIP} lladdr {scene.sides[0].host.mac('eth0')} dev eth0 nud permanent")
    scene.start()
    mac, vip = bytes.fromhex(scene.sides[0].host.mac("eth0").replace(":", "")), IPv4Address(VIP).packed

    def said() -> list[str]:
        """By lb1, but for what it asks for reasons of its own."""
        frames = [frame for frame in ear.frames() if frame[6:12] == mac]
        return [_kind(frame) for frame in frames if _kind(frame) != "arp" or frame[28:32] == vip]

    scene.until(lambda: "arp" in said())
    scene.neighbour.run("ping", "-c1", "-W5", VIP)
    assert said().index("vrrp") < said().index("arp")


def test_no_router_advertisements(scene: Scene, ear: Ear) -> None:
    """Sections 6.4.2 and 6.4.3: haman sends none, active or not."""
    scene.run()
    scene.sides[0].stop()
    scene.until(lambda: scene.sides[1].holds(VIP6))
    six = [frame for frame in ear.frames() if frame[12:14] == b"\x86\xdd" and frame[20] == socket.IPPROTO_ICMPV6]
    assert six != []
    assert {frame[54] for frame in six} & {ROUTER_ADVERTISEMENT} == set()


def test_frames_to_the_virtual_mac_are_nobodys(scene: Scene) -> None:
    """Sections 6.4.2, 6.4.3 and 7.3: no director has the virtual router's hardware address."""
    scene.run()
    for vip, mac in ((VIP, "00:00:5e:00:01:33"), (VIP6, "00:00:5e:00:02:33")):
        scene.neighbour.ip(f"neighbour replace {vip} lladdr {mac} dev eth0 nud permanent")
        assert scene.neighbour.run("ping", "-c2", "-W1", vip, check=False).returncode == 1
        scene.neighbour.ip(f"neighbour del {vip} dev eth0")
        scene.neighbour.run("ping", "-c1", "-W5", vip)


def test_advertisements_are_not_forwarded(scene: Scene) -> None:
    """Sections 5.1.1.2 and 5.1.2.2: lb1 routes between its two segments, and no advertisement of one comes out of the
    other, whatever its TTL; what it does route comes out."""
    scene.run()
    far, frames = Ear(scene.far), []
    for source, listed in ((IPv4Address("10.0.0.9"), IPv4Address(VIP)), (IPv6Address("fe80::9"), IPv6Address(VIP6))):
        group = GROUPS[source.version]
        payload = vrrp.encode(Advertisement(99, 200, 1.0, (listed,)), source, group)
        frames += [framed(Packet(source, group, ttl, payload)) for ttl in (255, 64)]
    with scene.neighbour.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        mac = bytes.fromhex(scene.neighbour.mac("eth0").replace(":", ""))
        for frame in frames:
            out.sendto(frame[:6] + mac + frame[12:], ("eth0", 0))
    for address in ("10.1.0.9", "2001:db8:1::9"):
        scene.until(
            lambda address=address: not scene.neighbour.run("ping", "-c1", "-W2", address, check=False).returncode
        )
    came = far.frames()
    far.close()
    assert [frame for frame in came if _kind(frame) == "vrrp"] == []
    assert any(frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_ICMP for frame in came)


def test_a_neighbours_unasked_word_is_taken(scene: Scene) -> None:
    """Section 8.2.4, which means routers of a VRRP group: the kernel updates an entry it has when a neighbour announces
    a new hardware address, on the active router and on the standby."""
    scene.run()
    for side in scene.sides:
        side.host.run("ping", "-c1", "-W5", "2001:db8::9")
    new = bytes.fromhex("020000000909")
    with scene.neighbour.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.sendto(ndp.unsolicited(new, IPv6Address("2001:db8::9"), router=False), ("eth0", 0))
    for side in scene.sides:
        scene.until(
            lambda side=side: "02:00:00:00:09:09" in side.host.run("ip", "neighbour", "show", "2001:db8::9").stdout
        )
