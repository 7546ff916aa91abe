"""What becomes of connections when the site changes, away and home: the table of docs/explanation/sites.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from haman.director.ask import ask
from tests.kernel.office import HEAD, LOCAL, Office, end, flows, service

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

FILES, HASHED, BOUND, VOICE, BOUND_VOICE = 90, 91, 80, 5060, 5061
TEXT = HEAD + "".join(
    [
        service("files", FILES, "east", "west"),
        service("hashed", HASHED, "east", scheduler="sh"),
        service("bound", BOUND, "east", scheduler="wlc", persistence="{timeout: 1h}"),
        service("voice", VOICE, "east", "west", protocol="udp", scheduler="wlc"),
        service("bound-voice", BOUND_VOICE, "east", protocol="udp", scheduler="wlc", persistence="{timeout: 1h}"),
    ]
)
ALL = ("files", "hashed", "bound", "voice", "bound-voice")


@pytest.fixture
def office(network: Network, tmp_path: Path) -> Office:
    office = Office(network, tmp_path)
    office.serve(BOUND, udp=(VOICE, BOUND_VOICE), streams=(FILES, HASHED))
    office.start(TEXT)
    return office


def test_who_is_alive_keeps_tcp_and_udp_moves_at_once_away_and_home(office: Office) -> None:
    """A planned move, and back: nothing died. `sh` without its fallback refuses what `wlc` and `mh` would keep."""
    with (
        office.connect(FILES) as download,
        office.connect(HASHED) as hashed,
        office.flow(VOICE) as voice,
        office.flow(BOUND_VOICE) as bound_voice,
    ):
        assert flows(download)
        assert flows(hashed)
        bound = office.page(BOUND)
        assert bound in LOCAL
        assert {office.page(BOUND) for _ in range(4)} == {bound}  # by persistence
        assert voice.ask() in LOCAL
        assert bound_voice.ask() in LOCAL
        for each in ALL:
            office.use("backup", each)
        office.until(lambda: office.page(BOUND) == "east")
        assert {office.page(BOUND) for _ in range(4)} == {"east"}  # nobody is bound to who does not serve
        office.until(lambda: voice.ask() == "east")
        office.until(lambda: bound_voice.ask() == "east")
        assert flows(download)
        assert end(hashed) == "reset"
        with office.connect(FILES) as away, office.connect(HASHED) as hashed_away:
            assert flows(away)
            assert flows(hashed_away)
            for each in ALL:
                office.use("auto", each)
            office.until(lambda: office.page(BOUND) in LOCAL)
            assert office.page(BOUND) in LOCAL
            office.until(lambda: voice.ask() in LOCAL)
            office.until(lambda: bound_voice.ask() in LOCAL)
            assert flows(away)  # at the site that does not serve any more, until it ends
            assert end(hashed_away) == "reset"
        assert flows(download)  # through both moves


def test_who_is_dead_leaves_tcp_a_reset_and_udp_a_new_flow_away_and_on(office: Office) -> None:
    """Cables are cut, so nobody but the director can tell: both local servers, then the site that serves."""
    with (
        office.connect(FILES) as download,
        office.flow(VOICE) as voice,
        office.flow(BOUND_VOICE) as bound_voice,
    ):
        assert flows(download)
        bound = office.page(BOUND)
        assert bound in LOCAL
        assert voice.ask() in LOCAL
        assert bound_voice.ask() in LOCAL
        for name in LOCAL:
            office.machines[name].cut("eth0")
        office.until(lambda: office.site("files") == "east")
        assert end(download) == "reset"
        office.until(lambda: office.page(BOUND) == "east")
        office.until(lambda: voice.ask() == "east")
        office.until(lambda: bound_voice.ask() == "east")
    with office.connect(FILES) as download, office.flow(VOICE) as voice:
        assert flows(download)
        assert voice.ask() == "east"
        office.machines["east"].cut("eth0")
        office.until(lambda: office.site("files") == "west")
        assert end(download) == "reset"
        office.until(lambda: voice.ask() == "west")
        for name in LOCAL:
            office.machines[name].heal("eth0")
        office.until(lambda: voice.ask() in LOCAL)


def test_a_dead_server_is_left_at_the_switch_though_on_failure_says_quiesce(office: Office) -> None:
    """Which without a switch keeps its connections on it."""
    text = HEAD + service("files", FILES, "east", on_failure="quiesce")
    (office.directory / "haman.yaml").write_text(text)
    assert office.lb1.call(ask, "reload", patience=60.0)["ok"]
    with office.connect(FILES) as download:
        assert flows(download)
        for name in LOCAL:
            office.machines[name].cut("eth0")
        office.until(lambda: office.site("files") == "east")
        assert end(download) == "reset"


def test_a_client_that_keeps_its_port_loses_one_datagram_at_most_where_the_filter_tracks_it(office: Office) -> None:
    """Away its flow is the packet filter's too, which translates its source; home it is direct routing."""
    with office.flow(VOICE) as voice:
        for wish, serves, answering in (
            ("backup", "east", {"east"}),
            ("auto", "local", set(LOCAL)),
            ("backup", "east", {"east"}),
        ):
            office.use(wish, "voice")
            office.until(lambda serves=serves: office.site("voice") == serves)  # type: ignore[misc]
            answers = [voice.ask() for _ in range(6)]
            assert answers.count("") <= 1, (wish, answers)
            assert set(answers[1:]) <= answering | {""}, (wish, answers)
