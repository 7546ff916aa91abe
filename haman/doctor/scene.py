"""What the examinations look at: the configuration, the answer of a running haman, this machine's links and addresses.

Gathered once, so that an examination is a function of a value, and can be tried on any machine there might be.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import shutil
import socket
import struct
import subprocess
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haman import config
from haman.config import node as nodes
from haman.director.ask import ask
from haman.director.slice import slice_for
from haman.errors import ConfigError, HamanError, NodeUnknown
from haman.kernel import routes
from haman.kernel.addresses import Addresses
from haman.kernel.devices import Devices
from haman.kernel.ipvs import Ipvs
from haman.kernel.netlink import NETLINK_ROUTE, Netlink
from haman.model.kernel import Kernel
from haman.realserver import identity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from haman.model.addresses import Address
    from haman.model.cluster import Cluster
    from haman.model.elector import ElectorConfig
    from haman.model.kernel import AddressKey
    from haman.plan.realserver import Part

_SIOCGIFMTU = 0x8921


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """file: the configuration's name. mistakes: why there is no cluster. node: which director this is; None if it is
    none. status: what the running haman says (`haman status --json`); None if none answers, `silence` says why. links:
    by name, up with carrier. mtu: bytes by link. ipvs: why there is none; None when there is. nft: is there
    such a program? table: what it holds;
    None if it cannot be read. parts: the real servers of the cluster that this machine is. unwrapping: tunnel devices
    and GUE ports, whoever made them. gateways: of the default route, by version; None if there is no such route, no
    entry if that is not known. rules: the packet filter as `nft -j list ruleset` has it; None if it cannot be read.
    proc: /proc."""

    file: str
    cluster: Cluster | None = None
    node: str | None = None
    mistakes: tuple[str, ...] = ()
    status: Mapping[str, Any] | None = None
    silence: str = ""
    links: Mapping[str, bool] = field(default_factory=dict)
    mtu: Mapping[str, int] = field(default_factory=dict)
    addresses: Collection[AddressKey] = ()
    ipvs: str | None = None
    nft: bool = True
    table: Kernel | None = None
    parts: tuple[Part, ...] = ()
    unwrapping: Kernel = field(default_factory=Kernel)
    gateways: Mapping[int, Address | None] = field(default_factory=dict)
    rules: tuple[Mapping[str, Any], ...] | None = None
    proc: Path = Path("/proc")

    def read(self, path: str) -> str | None:
        """A file below /proc without its white space; None if it cannot be read."""
        try:
            return (self.proc / path).read_text().strip()
        except OSError:
            return None

    @property
    def slice(self) -> ElectorConfig | None:
        """This node's part of the election; None where there is no such part."""
        return slice_for(self.cluster, self.node, 0) if self.cluster is not None and self.node is not None else None


def gather(file: Path, override: str | None, *, realserver: bool = False) -> Scene:
    """Now, on this machine. Nothing is raised for what is missing: that is what is looked for.

    realserver: the machine is a real server, and `override` a real server's name. Without, it is a director if it is
    one, and a real server too if it has the address of one.
    """
    cluster, mistakes = _configuration(file)
    node, parts, unknown = _who(cluster, override, realserver)
    status, silence = None, ""
    if not realserver:
        try:
            status = ask("status")
        except HamanError as error:
            silence = str(error)
    links, addresses = asyncio.run(_network())
    ipvs, table = asyncio.run(_ipvs())
    return Scene(
        file=str(file),
        cluster=cluster,
        node=node or (status["node"] if status is not None else None),
        mistakes=mistakes or unknown,
        status=status,
        silence=silence,
        links=links,
        mtu={name: size for name in links if (size := _mtu(name)) is not None},
        addresses=addresses,
        ipvs=ipvs,
        table=table,
        parts=parts,
        unwrapping=_unwrapping(),
        gateways=_gateways(),
        rules=_rules(),
    )


def _configuration(file: Path) -> tuple[Cluster | None, tuple[str, ...]]:
    try:
        return config.load(file), ()
    except ConfigError as error:
        return None, error.mistakes


def _who(
    cluster: Cluster | None, override: str | None, realserver: bool
) -> tuple[str | None, tuple[Part, ...], tuple[str, ...]]:
    """The director that this machine is, its parts as a real server, and why it is neither."""
    if cluster is None:
        return None, (), ()
    node: str | None = None
    parts: tuple[Part, ...] = ()
    unknown = ""
    if not realserver:
        try:
            node = nodes.find(cluster, override)
        except NodeUnknown as error:
            unknown = str(error)
    try:
        parts = tuple(identity.find(cluster, override if realserver or node is None else None))
    except NodeUnknown as error:
        unknown = str(error) if realserver else unknown
    return node, parts, () if node or parts else (unknown,)


async def _network() -> tuple[dict[str, bool], frozenset[AddressKey]]:
    addresses = Addresses()
    try:
        await addresses.open()
    except (OSError, HamanError):
        return {}, frozenset()
    try:
        return await addresses.links(), frozenset((await addresses.snapshot()).addresses)
    finally:
        await addresses.close()


async def _ipvs() -> tuple[str | None, Kernel | None]:
    try:
        table = Ipvs()
    except HamanError as error:
        return str(error), None
    try:
        return None, await table.snapshot()
    except HamanError:
        return None, None
    finally:
        table.close()


def _unwrapping() -> Kernel:
    try:
        devices = Devices()
    except HamanError:
        return Kernel()
    try:
        return Kernel(devices=devices.every(), gue_ports=devices.snapshot(gue=True).gue_ports)
    except HamanError:
        return Kernel()
    finally:
        devices.close()


def _gateways() -> dict[int, Address | None]:
    """By asking for the way to addresses that nobody has (RFC 5737, RFC 3849): it is the default route's."""
    found: dict[int, Address | None] = {}
    with contextlib.suppress(HamanError), contextlib.closing(Netlink(NETLINK_ROUTE)) as netlink:
        for probe in map(ip_address, ("203.0.113.0", "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe")):
            try:
                found[probe.version] = routes.way(netlink, probe).gateway
            except HamanError:
                found[probe.version] = None
    return found


def _rules() -> tuple[Mapping[str, Any], ...] | None:
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        return None
    try:
        said = subprocess.run([nft, "-j", "list", "ruleset"], capture_output=True, timeout=10, check=True)
        return tuple(json.loads(said.stdout)["nftables"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def _mtu(name: str) -> int | None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        answer = fcntl.ioctl(asked, _SIOCGIFMTU, struct.pack("16sI12x", name.encode()[:15], 0))
        return int(struct.unpack("16sI12x", answer)[1])
    return None
