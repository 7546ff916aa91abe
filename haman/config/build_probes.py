"""What a check asks, from the file's words to the model's. No judgement here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.shape.probes import Hex, Https, Transport
from haman.model import checks as model_checks
from haman.wire import rdata

if TYPE_CHECKING:
    from haman.config.shape.checks import Check
    from haman.config.shape.probes import Dns, Http, Script, Udp


def probe(check: Check) -> model_checks.Probe:
    """The rules have seen to it that there is exactly one."""
    for http in (check.http, check.https):
        if http is not None:
            return _http(http)
    if check.dns is not None:
        return _dns(check.dns)
    if check.udp is not None:
        return _udp(check.udp)
    if check.script is not None:
        return _script(check.script)
    return model_checks.TcpProbe() if check.ping is None else model_checks.PingProbe()


def source(check: Check) -> model_checks.Source | None:
    if check.source is None:
        return None
    return model_checks.Source(interface=check.source.interface, mark=check.source.mark)


def _http(http: Http) -> model_checks.HttpProbe:
    statuses = http.status if isinstance(http.status, list) else [http.status]
    return model_checks.HttpProbe(
        path=http.path,
        host=http.host,
        statuses=tuple(statuses),
        method=http.method.value,
        version=http.protocol,
        headers=tuple(http.headers.items()),
        body=http.send,
        expect=http.expect,
        reject=http.reject,
        read=http.read,
        tls=_tls(http) if isinstance(http, Https) else None,
    )


def _tls(https: Https) -> model_checks.Tls:
    return model_checks.Tls(
        verify=https.verify,
        server_name=https.server_name or (name_in(https.host) if https.host is not None else None),
        ca=https.ca,
        certificate=https.certificate,
        key=https.key,
        minimum_version=https.minimum_version,
        warn_before=https.warn_before,
    )


def name_in(host: str) -> str:
    """A Host header without its port: `www.example.com:8443`, `[2001:db8::1]:8443`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host


def _dns(dns: Dns) -> model_checks.DnsProbe:
    return model_checks.DnsProbe(
        name=dns.name,
        type=dns.type,
        class_=dns.class_,
        rcodes=frozenset(dns.rcode if isinstance(dns.rcode, list) else [dns.rcode]),
        answers=tuple(rdata.expected(dns.type, answer) for answer in dns.answers),
        serial=dns.serial,
        recursion=dns.recursion,
        tcp=dns.transport is Transport.TCP,
        both=dns.transport is Transport.BOTH,
        tcp_fallback=dns.tcp_fallback,
    )


def _udp(udp: Udp) -> model_checks.UdpProbe:
    return model_checks.UdpProbe(
        send=_bytes(udp.send),
        prefix=_bytes(udp.starts_with) if udp.starts_with is not None else b"",
        expect=udp.expect,
        require_reply=udp.require_reply,
    )


def _script(script: Script) -> model_checks.ScriptProbe:
    return model_checks.ScriptProbe(argv=tuple(script.run), user=script.user, dynamic=script.dynamic)


def _bytes(payload: bytes | Hex) -> bytes:
    return payload.hex if isinstance(payload, Hex) else payload
