"""Operations as the commands an operator would type. (That they do the same is tests/kernel/test_realserver.py.)"""

from __future__ import annotations

from ipaddress import ip_address

from haman.model.kernel import (
    AddressConfig,
    AddressKey,
    DeviceConfig,
    DeviceKey,
    GuePortConfig,
    GuePortKey,
    SysctlConfig,
    SysctlKey,
    TableConfig,
    TableKey,
    Unwrapper,
)
from haman.plan.ops import Add, Remove, Set
from haman.realserver.commands import commands

RIP, RIP6, VIP, VIP6 = map(ip_address, ("10.2.0.11", "2001:db8:2::11", "10.0.0.100", "2001:db8::100"))


def test_each_kind() -> None:
    gre = DeviceConfig(Unwrapper.GRE, RIP, checksum=True)
    ops = [
        Set(SysctlKey("net/ipv4/conf/all/arp_ignore"), SysctlConfig("1")),
        Add(GuePortKey(4, 6080), GuePortConfig()),
        Add(DeviceKey("haman-gre"), gre),
        Add(DeviceKey("haman-ip6tnl"), DeviceConfig(Unwrapper.IP6TNL, RIP6)),
        Set(DeviceKey("haman-gre"), gre),
        Add(AddressKey("lo", VIP, 32), AddressConfig()),
        Add(AddressKey("lo", VIP6, 128), AddressConfig()),
        Add(TableKey(), TableConfig("table x {\n}\n")),
        Remove(AddressKey("lo", VIP6, 128)),
        Remove(DeviceKey("haman-gre")),
        Remove(GuePortKey(6, 6080)),
    ]
    assert "\n".join(commands(ops)) == "\n".join(
        [
            "sysctl -w net.ipv4.conf.all.arp_ignore=1",
            "ip fou add port 6080 gue",
            "ip link add name haman-gre type gre local 10.2.0.11 ttl 64 icsum",
            "sysctl -w net.ipv4.conf.haman-gre.rp_filter=2",
            "ip link set haman-gre up",
            "ip link add name haman-ip6tnl type ip6tnl mode any local 2001:db8:2::11 ttl 64",
            "sysctl -w net.ipv4.conf.haman-ip6tnl.rp_filter=2",
            "ip link set haman-ip6tnl up",
            "sysctl -w net.ipv4.conf.haman-gre.rp_filter=2",
            "ip link set haman-gre up",
            "ip address add 10.0.0.100/32 dev lo",
            "ip address add 2001:db8::100/128 dev lo nodad preferred_lft 0",
            "nft -f - <<'END'\ntable x {\n}\nEND",
            "ip address del 2001:db8::100/128 dev lo",
            "ip link del haman-gre",
            "ip -6 fou del port 6080",
        ]
    )
