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
        "  virtual_router_id 51\n"
        "  priority 100\n"
        "  advert_int 0.1\n"
        "  virtual_ipaddress {\n"
        "    10.0.0.100/24 dev eth0\n"
        "  }\n"
        "}\n"
    )
    assert "  lvs_sync_daemon eth0 id 51" in text


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
    assert found.count("  mh-port") == 2
    assert found.count("  protocol UDP") == 1


def test_braces_match():
    text = "\n".join(lines("lb1"))
    assert text.count("{") == text.count("}")
