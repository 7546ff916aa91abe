"""What makes a measurement doubtful."""

from __future__ import annotations

from collections import Counter

from haman.lab import instruments
from haman.lab.measure import Answered, Downloads, Pace, Shorts
from haman.lab.records import Short
from haman.lab.results import Limit

SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 5210 0 17 5210 17 3 0 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
"""

PUNCTUAL = Pace(met=1000, skipped=0, p99=0.001, worst=0.004)
FINE = Answered(sent=1000, lost=0, gap=0.002, last_lost=None)
NO_SHORTS = Shorts(outcomes={}, failed=())


def running(streams: int) -> Downloads:
    return Downloads(running=streams, lost=Counter(), silent=frozenset())


def test_udp_errors_are_read_from_snmp():
    assert instruments.udp_errors(SNMP) == {"RcvbufErrors": 17, "SndbufErrors": 3}


def test_drops_are_what_was_added():
    before = instruments.Drops(counts={"rs1's UDP RcvbufErrors": 17, "the client's socket": 0})
    after = instruments.Drops(counts={"rs1's UDP RcvbufErrors": 19, "the client's socket": 0})
    assert after.since(before) == {"rs1's UDP RcvbufErrors": 2}
    assert instruments.doubts_about_drops(after.since(before)) == ["2 packets lost in rs1's UDP RcvbufErrors"]


def test_good_instruments_leave_no_doubt():
    assert instruments.doubts_about_pace(PUNCTUAL, 0.025, PUNCTUAL) == []
    assert instruments.doubts_before(FINE, NO_SHORTS, running(20), 20) == []


def test_a_pause_counts_more_while_it_counts():
    pause = Pace(met=1000, skipped=40, p99=0.001, worst=0.040)
    assert instruments.doubts_about_pace(PUNCTUAL, 0.025, pause) == []
    assert instruments.doubts_about_pace(pause, 0.025, pause) == ["the machine stood still for 40 ms (at most 25)"]


def test_where_nothing_is_timed_one_advertisement_may_be_missed():
    gap = Limit(name="gap", bound=0.4, measured=0.1, unit="ms")
    lost = Limit(name="lost", bound=0, measured=0)
    assert instruments.stall_allowed([gap, lost], 1.0) == 0.025
    assert instruments.stall_allowed([lost], 1.0) == 0.1
    assert instruments.stall_allowed([lost], 0.1) == 0.1
    assert instruments.stall_allowed([lost], 0.01) == 0.025


def test_a_long_pause_counts_everywhere():
    pause = Pace(met=1000, skipped=50, p99=0.001, worst=0.150)
    assert instruments.doubts_about_pace(PUNCTUAL, 0.025, pause) == ["the machine stood still for 150 ms (at most 100)"]


def test_lateness_and_skipped_deadlines():
    late = Pace(met=700, skipped=300, p99=0.0071, worst=0.020)
    assert instruments.doubts_about_pace(PUNCTUAL, 0.025, late) == [
        "requests were 7.1 ms late, p99 (at most 5)",
        "300 of 1000 requests were not sent: no time",
    ]


def test_losses_before_the_fault():
    lossy = Answered(sent=1000, lost=3, gap=0.01, last_lost=1.0)
    failing = Shorts(outcomes={80: Counter(reset=1)}, failed=(Short(80, 1.0, 1.1, "reset", ""),))
    assert instruments.doubts_before(lossy, failing, running(19), 20) == [
        "3 of 1000 requests were lost before the drill",
        "1 short TCP requests failed before the drill",
        "only 19 of 20 downloads ran before the drill",
    ]


def test_silence_of_the_client_is_no_proof():
    nothing = Answered(sent=0, lost=0, gap=1.0, last_lost=None)
    assert instruments.doubts_before(nothing, NO_SHORTS, running(20), 20) == ["no request was sent before the drill"]
