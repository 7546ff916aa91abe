"""Checks over real networks: what routers and firewalls answer in a server's place has a name too."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from haman.lab.waiting import until
from haman.model.checks import DnsProbe, HttpProbe, PingProbe, Source, TcpProbe, Tls, UdpProbe
from haman.probes.outcome import Outcome
from haman.probes.question import Question
from haman.wire.dns import Type
from tests.probes.support import ask
from tests.probes.tls_server import CA, NAME, OTHER, SERVER


@pytest.fixture
def hosts(network):
    """A director and a server with a router between them."""
    near, far = network.segment("near"), network.segment("far")
    director = network.host("d1", {"eth0": (near, ["10.1.0.1/24", "fd01::1/64"])})
    server = network.host("rs1", {"eth0": (far, ["10.2.0.1/24", "fd02::1/64"])})
    ends = {"eth0": (near, ["10.1.0.254/24", "fd01::fe/64"]), "eth1": (far, ["10.2.0.254/24", "fd02::fe/64"])}
    router = network.host("router", ends, forward=True)
    for host, four, six in ((director, "10.1.0.254", "fd01::fe"), (server, "10.2.0.254", "fd02::fe")):
        host.route("default", via=four)
        host.ip(f"route add ::/0 via {six}")
    # The router asks for its neighbours from its link-local addresses, once nobody else is known to have those.
    until("the way over IPv6", lambda: director.run("ping", "-c1", "-W1", "fd02::1", check=False).returncode == 0, 10)
    return director, router, server


def check(host, address, probe, *, port=0, timeout=1.0):
    about = Question(ip_address(address), port, probe, timeout, 1.0, 0.1, 0.0)
    return host.call(asyncio.run, ask(about))


ALLOWED = pytest.mark.parametrize("groups", ["1 0", "0 2147483647"], ids=["raw socket", "ping socket"])


@ALLOWED
@pytest.mark.parametrize("address", ["10.2.0.1", "fd02::1"])
def test_ping(hosts, groups, address):
    director, _, server = hosts
    director.sysctl("net/ipv4/ping_group_range", groups)
    assert check(director, address, PingProbe()).outcome is Outcome.ECHOED
    server.ip("link set eth0 down")
    result = check(director, address, PingProbe(), timeout=0.3)
    assert (result.outcome, result.words) == (Outcome.TIMEOUT_ECHO, "no echo reply within the timeout: 0.3 s")


@ALLOWED
def test_a_router_that_knows_no_way_is_heard(hosts, groups):
    director, router, _ = hosts
    director.sysctl("net/ipv4/ping_group_range", groups)
    router.ip("route add unreachable 10.2.0.1/32", "route add unreachable fd02::1/128")
    for address in ("10.2.0.1", "fd02::1"):
        result = check(director, address, PingProbe())
        assert result.outcome is Outcome.UNREACHABLE
        assert result.words in ("unreachable: no route to host", "unreachable: network is unreachable")
        assert result.latency < 0.9


def test_nobody_at_an_address_of_the_own_network(hosts):
    """The neighbour is asked for three times, a second each: longer than the timeout, so it is silence."""
    director, _, _ = hosts
    assert check(director, "10.1.0.77", PingProbe(), timeout=0.5).outcome is Outcome.TIMEOUT_ECHO
    result = check(director, "10.1.0.78", PingProbe(), timeout=6.0)
    assert result.outcome is Outcome.UNREACHABLE


def test_one_that_cannot_be_reached_does_not_spoil_the_others(hosts):
    """The kernel tells an earlier ping's error to whoever uses the socket next."""
    director, router, _ = hosts
    router.ip("route add unreachable 10.2.0.9/32")

    async def both():
        from haman.probes import kinds
        from haman.probes.equipment import Equipment

        loop = asyncio.get_running_loop()
        equipment = Equipment(loop)
        outcomes = {}
        for _ in range(20):
            answers = {}
            for address in ("10.2.0.9", "10.2.0.1", "10.1.0.254"):
                about = Question(ip_address(address), 0, PingProbe(), 1.0, 1.0, 0.1, 0.0)
                answers[address] = loop.create_future()
                kinds.prober(equipment, about, answers[address].set_result).start()
                await asyncio.sleep(0.002)
            for address, answer in answers.items():
                outcomes.setdefault(address, set()).add((await answer).outcome)
        equipment.close()
        return outcomes

    outcomes = director.call(asyncio.run, both())
    assert outcomes["10.2.0.1"] == outcomes["10.1.0.254"] == {Outcome.ECHOED}
    # A router answers so many of them and no more (icmp_ratelimit).
    assert outcomes["10.2.0.9"] <= {Outcome.UNREACHABLE, Outcome.TIMEOUT_ECHO}
    assert Outcome.UNREACHABLE in outcomes["10.2.0.9"]


# -------------------------------------------------------------------------------------------- Debian's servers


@pytest.fixture
def pair(network):
    """A director and a server on one segment."""
    lan = network.segment("lan")
    return network.host("d1", {"eth0": (lan, "10.0.0.1/24")}), network.host("rs1", {"eth0": (lan, "10.0.0.11/24")})


NGINX = """\
daemon off; master_process off; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
    uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
    server {{
        listen 80; listen 443 ssl; ssl_protocols TLSv1.2 TLSv1.3; server_name www.example.net;
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        location = /healthz {{ default_type text/plain; return 200 "database: up\\n"; }}
        location = /moved {{ return 302 /healthz; }}
        location = /page {{ root {work}; ssi on; }}
    }}
    server {{ listen 80 default_server; return 421; }}
}}
"""


@pytest.fixture
def nginx(pair, tmp_path):
    """/page goes through server-side includes, which nginx sends in chunks."""
    director, server = pair
    (tmp_path / "page").write_text("begin " + "x" * 100_000 + " end")
    config = tmp_path / "nginx.conf"
    config.write_text(NGINX.format(work=tmp_path, certificate=SERVER))
    server.spawn("nginx", "-p", str(tmp_path), "-c", str(config), log=tmp_path / "nginx.log")
    until("nginx to listen", lambda: check(director, "10.0.0.11", TcpProbe(), port=443).passed, 20)
    return director


def http(**changes):
    return HttpProbe(**{"path": "/healthz", "host": NAME} | changes)


def test_nginx_speaks_http_as_checks_do(nginx):
    def outcome(probe, port=80):
        return check(nginx, "10.0.0.11", probe, port=port, timeout=3.0).outcome

    assert outcome(http(expect="^database: up\n$")) is Outcome.GOOD_BODY
    assert outcome(http(version="1.0", expect="up")) is Outcome.GOOD_BODY
    assert outcome(http(method="HEAD")) is Outcome.GOOD_STATUS
    assert outcome(http(method="POST", body=b"x", statuses=((405, 405), (200, 200)))) is Outcome.GOOD_STATUS
    assert outcome(http(host="other.example.net")) is Outcome.BAD_STATUS
    assert outcome(http(path="/moved")) is Outcome.BAD_STATUS
    assert outcome(http(path="/moved", statuses=((302, 302),))) is Outcome.GOOD_STATUS
    for version in ("1.0", "1.1"):
        assert outcome(http(path="/page", version=version, expect="(?s)^begin x{1000}.* end$", read=1 << 20)) is (
            Outcome.GOOD_BODY
        )


def test_nginx_behind_tls(nginx):
    def result(**changes):
        probe = http(expect="up", tls=Tls(**{"server_name": NAME, "ca": CA} | changes))
        return check(nginx, "10.0.0.11", probe, port=443, timeout=3.0)

    good = result()
    assert (good.outcome, good.certificate_ends) == (Outcome.GOOD_BODY, 4891363200.0)
    assert result(minimum_version="1.3").outcome is Outcome.GOOD_BODY
    assert result(ca=OTHER).outcome is Outcome.BAD_CERTIFICATE
    assert result(verify=False, ca=None).outcome is Outcome.GOOD_BODY
    assert check(nginx, "10.0.0.11", http(), port=443).outcome is Outcome.BAD_STATUS, "plain HTTP to its TLS port: 400"
    plain = check(nginx, "10.0.0.11", http(tls=Tls(ca=CA)), port=80)
    assert (plain.outcome, plain.words) == (Outcome.BAD_TLS, "no TLS: wrong version number")


ZONE = """\
$ORIGIN example.net.
@ 300 IN SOA ns1 admin 2026112201 3600 600 86400 300
@ 300 IN NS ns1
@ 300 IN MX 10 mail
@ 300 IN TXT "v=spf1" " -all"
ns1 300 IN A 10.0.0.11
www 300 IN CNAME web
web 300 IN A 192.0.2.10
web 300 IN A 192.0.2.11
web 300 IN AAAA 2001:db8::10
_sip._udp 300 IN SRV 0 5 5060 web
*.many 300 IN A 192.0.2.1
""" + "".join(f"large 300 IN A 198.51.100.{number}\n" for number in range(1, 101))

NSD = """\
server:
    ip-address: 10.0.0.11
    username: ""
    chroot: ""
    zonesdir: "{work}"
    zonelistfile: "{work}/zone.list"
    xfrdfile: "{work}/xfrd.state"
    xfrdir: "{work}"
    pidfile: "{work}/nsd.pid"
    database: ""
    server-count: 1
    identity: "haman test"
remote-control:
    control-enable: no
zone:
    name: example.net
    zonefile: zone
"""


@pytest.fixture
def nsd(pair, tmp_path):
    director, server = pair
    (tmp_path / "zone").write_text(ZONE)
    config = tmp_path / "nsd.conf"
    config.write_text(NSD.format(work=tmp_path))
    server.spawn("nsd", "-d", "-c", str(config), log=tmp_path / "nsd.log")
    asked = DnsProbe(name="example.net", type=Type.SOA)
    until("nsd to answer", lambda: check(director, "10.0.0.11", asked, port=53, timeout=0.5).passed, 20)
    return director


def test_nsd_answers_as_checks_expect(nsd):
    def result(name, type=Type.A, **changes):
        probe = DnsProbe(name=name, type=type, recursion=False, **changes)
        return check(nsd, "10.0.0.11", probe, port=53, timeout=2.0)

    def outcome(*args, **changes):
        return result(*args, **changes).outcome

    for tcp in (False, True):
        both = {"tcp": tcp}
        assert outcome("web.example.net", answers=("192.0.2.11", "192.0.2.10"), **both) is Outcome.GOOD_ANSWER
        assert outcome("WWW.Example.NET.", answers=("192.0.2.10",), **both) is Outcome.GOOD_ANSWER
        assert outcome("web.example.net", Type.AAAA, answers=("2001:db8::10",), **both) is Outcome.GOOD_ANSWER
        assert outcome("example.net", Type.MX, answers=("10 mail.example.net",), **both) is Outcome.GOOD_ANSWER
        assert outcome("example.net", Type.NS, answers=("ns1.example.net",), **both) is Outcome.GOOD_ANSWER
        assert outcome("example.net", Type.TXT, answers=("v=spf1 -all",), **both) is Outcome.GOOD_ANSWER
        srv = "0 5 5060 web.example.net"
        assert outcome("_sip._udp.example.net", Type.SRV, answers=(srv,), **both) is Outcome.GOOD_ANSWER
        assert outcome("example.net", Type.SOA, serial=2026112201, **both) is Outcome.GOOD_ANSWER
        assert outcome("example.net", Type.SOA, serial=2026112202, **both) is Outcome.OLD_SERIAL
        assert outcome("none.example.net", **both) is Outcome.BAD_RCODE
        assert outcome("none.example.net", rcodes=frozenset({3}), **both) is Outcome.GOOD_ANSWER
        assert outcome("example.com", **both) is Outcome.BAD_RCODE, "not its zone: refused"
        assert outcome("web.example.net", answers=("192.0.2.99",), **both) is Outcome.WRONG_ANSWER
    assert outcome("id.server", Type.TXT, class_=3, answers=("haman test",)) is Outcome.GOOD_ANSWER
    # A hundred records do not fit 512 bytes.
    last = ("198.51.100.1", "198.51.100.100")
    assert outcome("large.example.net", answers=last) is Outcome.TRUNCATED
    again = result("large.example.net", answers=last, tcp_fallback=True)
    assert (again.outcome, again.words) == (Outcome.GOOD_ANSWER, "good answer: over TCP")


def test_a_port_where_nobody_listens_and_a_firewall(pair):
    director, server = pair
    for probe in (UdpProbe(send=b"x"), DnsProbe(name="example.net", type=1)):
        result = check(director, "10.0.0.11", probe, port=53)
        assert (result.outcome, result.words) == (Outcome.PORT_UNREACHABLE, "port unreachable: nobody listens")
    server.run("nft", "add table inet filter; add chain inet filter input { type filter hook input priority 0; }")
    server.run("nft", "add rule inet filter input udp dport 53 reject with icmpx type admin-prohibited")
    result = check(director, "10.0.0.11", UdpProbe(send=b"x"), port=53)
    assert result.outcome is Outcome.UNREACHABLE


@pytest.fixture
def two_ways(network):
    """A director on two segments, and a server on each with the same address."""
    left, right = network.segment("left"), network.segment("right")
    director = network.host("d1", {"eth0": (left, "10.0.0.1/24"), "eth1": (right, "10.0.0.2/24")})
    for name, segment in (("l", left), ("r", right)):
        host = network.host(name, {"eth0": (segment, "10.0.0.11/24")})
        # Each server lets in only the address that the director has on its side.
        here = "10.0.0.1" if name == "l" else "10.0.0.2"
        host.run("nft", "add table inet f; add chain inet f i { type filter hook input priority 0; }")
        host.run("nft", f"add rule inet f i ip saddr != {here} icmp type echo-request drop")
        host.run("nft", f"add rule inet f i ip saddr != {here} udp dport 53 drop")
        host.run("nft", f"add rule inet f i ip saddr != {here} tcp dport 80 drop")
        host.sysctl("net/ipv4/conf/all/rp_filter", 0)
    for name in ("all", "eth0", "eth1"):
        director.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
    return director


def test_a_check_leaves_by_the_interface_or_the_mark_it_is_told(two_ways, network):
    """The way out decides the source address, and that whether the server answers."""
    director = two_ways
    director.ip("route add 10.0.0.11/32 dev eth1 src 10.0.0.2 table 7", "rule add fwmark 7 table 7")
    probes = (PingProbe(), UdpProbe(send=b"x"), TcpProbe())
    answered = {Outcome.ECHOED, Outcome.PORT_UNREACHABLE, Outcome.REFUSED}

    def outcomes(source):
        results = []
        for probe in probes:
            port = {UdpProbe: 53, TcpProbe: 80}.get(type(probe), 0)
            about = Question(ip_address("10.0.0.11"), port, probe, 0.5, 1.0, 0.1, 0.0, source)
            results.append(director.call(asyncio.run, ask(about)).outcome)
        return set(results)

    assert outcomes(None) == answered
    assert outcomes(Source(interface="eth0")) == answered
    assert outcomes(Source(interface="eth1")) == answered
    assert outcomes(Source(mark=7)) == answered
    network.hosts["r"].cut("eth0")
    assert outcomes(Source(interface="eth0")) == answered
    assert not outcomes(Source(interface="eth1")) & answered
    assert not outcomes(Source(mark=7)) & answered
    assert outcomes(Source(interface="eth9")) == {Outcome.NOT_PREPARED}
