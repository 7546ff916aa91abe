"""The packet-filter table of a real server: its text, and what is read out of it and of the kernel's connections."""

from __future__ import annotations

from ipaddress import ip_address

from haman.wire.redirect import redirected, redirecting, streams

VIP, OTHER, VIP6 = map(ip_address, ("10.0.0.100", "10.0.0.20", "2001:db8::100"))

TRACKED = """\
ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.9 dst=10.0.0.100 sport=4000 dport=80 src=10.0.0.11 dst=192.0.2.9 \
sport=80 dport=4000 [ASSURED] mark=0 use=2
ipv4     2 tcp      6 100 TIME_WAIT src=192.0.2.9 dst=10.0.0.100 sport=4001 dport=80 src=10.0.0.11 dst=192.0.2.9 \
sport=80 dport=4001 [ASSURED] mark=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.100 dst=10.0.0.20 sport=4002 dport=22 src=10.0.0.20 dst=10.0.0.100 \
sport=22 dport=4002 [ASSURED] mark=0 use=2
ipv6     10 tcp      6 431999 ESTABLISHED src=2001:0db8:0000:0000:0000:0000:0000:0009 \
dst=2001:0db8:0000:0000:0000:0000:0000:0100 sport=4003 dport=80 src=fe80::1 dst=2001:db8::9 sport=80 dport=4003 mark=0
ipv4     2 udp      17 29 src=192.0.2.9 dst=10.0.0.100 sport=4004 dport=53 src=10.0.0.11 dst=192.0.2.9 sport=53 mark=0
"""


def test_the_text() -> None:
    assert redirecting({VIP, VIP6, OTHER}) == (
        "add table inet haman\n"
        "delete table inet haman\n"
        "table inet haman {\n"
        "\tchain tracked {\n"
        "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
        "\t\tct state established accept\n"
        "\t}\n"
        "\tchain redirected {\n"
        "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
        "\t\tip daddr { 10.0.0.20, 10.0.0.100 } redirect\n"
        "\t\tip6 daddr { 2001:db8::100 } redirect\n"
        "\t}\n"
        "}\n"
    )


def test_without_anything_new_the_rule_is_a_comment_that_remembers() -> None:
    text = redirecting({VIP}, new=False)
    assert "\t\t# ip daddr { 10.0.0.100 } redirect\n" in text
    assert "\t\tip daddr" not in text
    assert redirected(text) == {VIP}


def test_the_vips_are_read_back() -> None:
    assert redirected(redirecting({VIP, VIP6, OTHER})) == {VIP, VIP6, OTHER}
    assert redirected("") == frozenset()


def test_streams_are_established_calls_to_a_vip() -> None:
    lines = TRACKED.splitlines()
    assert streams(lines, {VIP}) == 1
    assert streams(lines, {VIP, VIP6}) == 2
    assert streams(lines, {OTHER}) == 1
    assert streams(lines, set()) == 0
