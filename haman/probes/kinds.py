"""Which prober asks which kind of question."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from haman.model.checks import DnsProbe, HttpProbe, PingProbe, ScriptProbe, TcpProbe, UdpProbe
from haman.probes.dns import DnsProber, DnsStreamProber
from haman.probes.http import HttpProber
from haman.probes.https import HttpsProber
from haman.probes.ping import PingProber
from haman.probes.script import ScriptProber
from haman.probes.tcp import TcpProber
from haman.probes.udp import UdpProber

if TYPE_CHECKING:
    from collections.abc import Callable

    from haman.model.checks import Probe
    from haman.probes.equipment import Equipment
    from haman.probes.outcome import Result
    from haman.probes.prober import Prober
    from haman.probes.question import Question


def prober(equipment: Equipment, question: Question, done: Callable[[Result], None]) -> Prober:
    """The prober for this question, not started yet."""
    match question.probe:
        case TcpProbe():
            return TcpProber(equipment, question, done)
        case HttpProbe(tls=None):
            return HttpProber(equipment, question, done)
        case HttpProbe():
            return HttpsProber(equipment, question, done)
        case DnsProbe(tcp=True):
            return DnsStreamProber(equipment, question, done)
        case DnsProbe():
            return DnsProber(equipment, question, done)
        case UdpProbe():
            return UdpProber(equipment, question, done)
        case PingProbe():
            return PingProber(equipment, question, done)
        case ScriptProbe():
            return ScriptProber(equipment, question, done)
        case unknown:
            assert_never(unknown)


def name(probe: Probe) -> str:
    """As in the configuration and in metric labels."""
    match probe:
        case TcpProbe():
            return "tcp"
        case HttpProbe(tls=tls):
            return "http" if tls is None else "https"
        case DnsProbe():
            return "dns"
        case UdpProbe():
            return "udp"
        case PingProbe():
            return "ping"
        case ScriptProbe():
            return "script"
        case unknown:
            assert_never(unknown)
