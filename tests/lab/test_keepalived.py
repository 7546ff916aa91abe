"""keepalived.conf from the lab's own file."""

from __future__ import annotations

from haman import config
from haman.lab.keepalived import configuration
from haman.lab.variants import FAILOVER


def lines(director: str) -> list[str]:
    return list(configuration(config.load(str(FAILOVER)), director))


def test_the_router_is_the_files():
    text = "\n".join(lines("lb2"))
    begin = text.index("vrrp_instance")
    assert text[begin : text.index("virtual_server")] == (
        "vrrp_instance public {\n"
        "  state BACKUP\n"
        "  interface eth0\n"
        "  version 3\n"
        "  virtual_router_id 51\n"
        "  priority 100\n"
        "  advert_int 0.1\n"
        "  virtual_ipaddress {\n"
        "    10.0.0.100/24 dev eth0\n"
        "  }\n"
        "}\n"
    )
    assert "  lvs_sync_daemon eth0 id 51" in text


def test_both_families_are_two_instances_in_a_group(tmp_path):
    file = tmp_path / "both.yaml"
    file.write_text(
        "cluster: web\n"
        "directors:\n"
        '  lb1: {address: 10.0.0.1, address6: "2001:db8::1", priority: 150}\n'
        '  lb2: {address: 10.0.0.2, address6: "2001:db8::2"}\n'
        "routers:\n"
        '  public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24, "2001:db8::100/64"], transport: unicast}\n'
        "  old: {interface: eth0, vrid: 52, addresses: [10.0.0.101/24], version: 2, auth: {password: s3cret}}\n"
    )
    text = "\n".join(configuration(config.load(str(file)), "lb1"))
    assert "vrrp_sync_group public {\n  group {\n    public\n    public_ipv6\n  }\n}" in text
    assert "  unicast_src_ip 2001:db8::1\n  unicast_peer {\n    2001:db8::2\n  }" in text
    assert "  version 2\n" in text
    assert "    auth_type PASS\n    auth_pass s3cret\n" in text
    assert text.count("{") == text.count("}")


def test_a_lower_priority_of_all_routers():
    text = "\n".join(configuration(config.load(str(FAILOVER)), "lb1", priority=1))
    assert "  priority 1\n" in text


def test_the_services_are_the_files():
    found = lines("lb1")
    assert [line for line in found if line.startswith("virtual_server")] == [
        "virtual_server 10.0.0.100 5000 {",
        "virtual_server 10.0.0.100 80 {",
        "virtual_server 10.0.0.100 81 {",
        "virtual_server 10.0.0.100 90 {",
    ]
    assert [line.split() for line in found].count(["HTTP_GET", "{"]) == 6
    assert [line.split() for line in found].count(["TCP_CHECK", "{"]) == 2
    assert (found.count("  mh-port"), found.count("  mh-fallback")) == (2, 2)
    assert found.count("  protocol UDP") == 1


def test_braces_match():
    text = "\n".join(lines("lb1"))
    assert text.count("{") == text.count("}")
