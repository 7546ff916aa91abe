"""Each of these mistakes in a parser is found, by the inputs and the second reading of `test_fuzz`."""

from __future__ import annotations
import __future__

import inspect
from typing import TYPE_CHECKING

import pytest

from haman.director import control
from haman.wire import arp, authentication, dns, http, icmp, link, ndp, standing, vrrp, vrrp2
from tests.fuzz.conftest import SEED
from tests.fuzz.run import Finding, fuzz
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from types import ModuleType

PLANTS = [
    ("vrrp over IPv4", vrrp, "decode", "if vrid == 0:", "if False:"),
    ("vrrp over IPv4", vrrp, "decode", "if count == 0:", "if False:"),
    ("vrrp over IPv4", vrrp, "decode", "interval & _MAXIMUM_CENTISECONDS", "interval"),
    ("vrrp over IPv4", vrrp2, "decode", "if seconds == 0:", "if False:"),
    ("vrrp over IPv4", vrrp2, "decode", "checksum.internet(payload[:length]) != 0", "False"),
    (
        "vrrp over IPv6",
        vrrp,
        "decode",
        "PROTOCOL_VRRP, len(each)) + each) != 0",
        "PROTOCOL_VRRP, len(each)) + each) == 1",
    ),
    ("reception", vrrp, "decode", "if len(payload) < length:", "if len(payload) < length - 1:"),
    (
        "signed vrrp over IPv4",
        authentication,
        "check",
        "not hmac.compare_digest(signature, _hmac(message, source, key, tail))",
        "False",
    ),
    ("signed vrrp over IPv4", authentication, "check", "or reserved != 0", ""),
    ("signed vrrp over IPv6", authentication, "check", "abs(ahead) > credentials.window", "ahead > credentials.window"),
    ("arp", arp, "reply", "_REPLY)", "operation)"),
    ("answers of neighbours by ARP", arp, "reply", "IPv4Address(target)", "IPv4Address(sender)"),
    ("answers of neighbours by ND", ndp, "advertised", "_HOP_LIMIT)", "hops)"),
    ("answers of neighbours by ND", ndp, "advertised", "!= 0:", "== -1:"),
    ("answers of neighbours by ND", ndp, "_options", "0 < size <= len(data)", "size <= len(data)"),
    ("icmp", icmp, "_echo", "if len(packet) < _HEADER.size:", "if not packet:"),
    ("dns", dns, "records", "if offset > len(packet):", "if False:"),
    ("dns", dns, "head", "flags & _OPCODE", "False"),
    ("dns names", dns, "decode_name", "if length > LONGEST:", "if False:"),
    ("dns names", dns, "decode_name", "if size & _POINTER:", "if False:"),
    ("http", http, "_framing", "if others or ", "if "),
    ("channel", standing, "_count", "or isinstance(value, bool) ", ""),
    ("channel", standing, "_text", "or not value.isprintable()", ""),
    ("channel with a key", standing, "_doubt", "Reason.UNSIGNED if keys else None", "None"),
    ("link", link, "_of_plain", "type(value) is not kind", "not isinstance(value, kind)"),
    ("control socket", control, "_question", "type(version) is not int or ", ""),
]


@pytest.mark.parametrize(("name", "module", "function", "right", "wrong"), PLANTS)
def test_a_mistake_is_found(
    name: str, module: ModuleType, function: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (target,) = (each for each in TARGETS if each.name == name)
    source = inspect.getsource(getattr(module, function))
    assert source.count(right) == 1
    namespace = vars(module)
    before = namespace[function]
    flags = __future__.annotations.compiler_flag
    exec(compile(source.replace(right, wrong), function, "exec", flags, dont_inherit=True), namespace)
    planted, namespace[function] = namespace[function], before
    monkeypatch.setattr(module, function, planted)
    link._reader.cache_clear()
    try:
        with pytest.raises(Finding):
            fuzz(target, SEED, inputs=100_000, seconds=60.0)
    finally:
        link._reader.cache_clear()  # its readers are made once, of the functions that there were then
