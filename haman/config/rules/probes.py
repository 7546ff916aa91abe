"""What a check asks: settings that only make sense together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.mistakes import Finding, quoted
from haman.config.rules import commands
from haman.config.shape.probes import Https, Method, Transport
from haman.wire import dns, rdata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Path
    from haman.config.shape.checks import Check
    from haman.config.shape.probes import Dns, Http, Udp


def findings(path: Path, check: Check) -> Iterator[Finding]:
    if check.http is not None:
        yield from _http((*path, "http"), check.http)
    if check.https is not None:
        yield from _http((*path, "https"), check.https)
        yield from _https((*path, "https"), check.https)
    if check.dns is not None:
        yield from _dns((*path, "dns"), check.dns)
    if check.udp is not None:
        yield from _udp((*path, "udp"), check.udp)
    if check.script is not None:
        yield from commands.findings((*path, "script", "run"), check.script.run, "/etc/haman/checks/")


def _http(path: Path, http: Http) -> Iterator[Finding]:
    if http.method is Method.HEAD:
        for key in ("expect", "reject"):
            if getattr(http, key) is not None:
                yield Finding((*path, key), "an answer to HEAD has no body", "write 'method: GET'", at_key=True)
    if http.expect is None and http.reject is None and "read" in http.model_fields_set:
        what = "nothing says what the body is read for"
        yield Finding((*path, "read"), what, "add 'expect' or 'reject', or remove the key", at_key=True)
    seen: dict[str, str] = {}
    for name in http.headers:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            what = f"'{first}' and '{name}' are the same header field"
            yield Finding((*path, "headers", name), what, "write one line with both values", at_key=True)


def _https(path: Path, https: Https) -> Iterator[Finding]:
    if https.key is not None and https.certificate is None:
        yield Finding((*path, "key"), "a key without a certificate", "add 'certificate', or remove it", at_key=True)
    if not https.verify and https.ca is not None:
        what = "no certificate is verified, so nobody asks who has issued it"
        yield Finding((*path, "ca"), what, "remove this, or 'verify: false'", at_key=True)


def _dns(path: Path, asked: Dns) -> Iterator[Finding]:
    rcodes = asked.rcode if isinstance(asked.rcode, list) else [asked.rcode]
    if not rcodes:
        yield Finding((*path, "rcode"), "no answer would be a good one", "write at least one: [noerror]")
    if asked.serial is not None and asked.type != dns.Type.SOA:
        yield Finding((*path, "serial"), "only SOA records have a serial number", "add 'type: SOA'", at_key=True)
    if asked.tcp_fallback and asked.transport is not Transport.UDP:
        what = "the question goes over TCP in any case"
        yield Finding((*path, "tcp_fallback"), what, "remove the key", at_key=True)
    if asked.answers and asked.type in (dns.Type.SOA, dns.Type.ANY):
        cure = "compare its 'serial'" if asked.type == dns.Type.SOA else "ask for one type"
        what = f"answers of the type {dns.Type(asked.type).name} are not compared"
        yield Finding((*path, "answers"), what, cure, at_key=True)
        return
    if asked.answers and rcodes and dns.Rcode.NOERROR not in rcodes:
        what = "records come with the response code noerror, which is not wanted here"
        yield Finding((*path, "answers"), what, "add noerror to 'rcode', or remove the answers", at_key=True)
    for index, answer in enumerate(asked.answers):
        try:
            rdata.expected(asked.type, answer)
        except ValueError as error:
            name = dns.Type(asked.type).name
            what = f"{quoted(answer)} is not the data of {'an' if name[0] in 'AHMNS' else 'a'} {name} record"
            yield Finding((*path, "answers", index), what, _cure(asked.type, error))


def _cure(type_: int, error: ValueError) -> str:
    match type_:
        case dns.Type.A:
            return "write an IPv4 address such as 192.0.2.10"
        case dns.Type.AAAA:
            return "write an IPv6 address such as 2001:db8::10"
        case dns.Type.NS | dns.Type.CNAME | dns.Type.PTR:
            return "write a name such as ns1.example.com"
        case _:
            return str(error)


def _udp(path: Path, udp: Udp) -> Iterator[Finding]:
    for key in ("expect", "starts_with"):
        if not udp.require_reply and getattr(udp, key) is not None:
            what = "an answer is compared that need not come"
            yield Finding((*path, key), what, "remove this, or 'require_reply: false'", at_key=True)
