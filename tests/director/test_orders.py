from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from haman import paths
from haman.director.orders import Book, Given, Maintenance, Orders, Planned, Wished
from haman.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

ALL = Orders(
    maintenance=Maintenance(why="new kernel", by="anna", at=1.5),
    given={"public": Given(to="lb2", by="ben", at=2.5)},
    planned=(Planned(routers=("inside",), to=None, force=False, by="ben", at=3.5),),
    sites={"web": Wished(site="backup", by="anna", at=4.5)},
    held={"mail": "east"},
)


UNKNOWN_SITE = """{"maintenance": null, "given": {}, "planned": [],
    "sites": {"web": {"site": "nowhere", "by": "anna", "at": 1}}}"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMAN_STATE_DIR", str(tmp_path / "state"))


def book() -> Book:
    return Book(lambda: None)


def test_orders_outlive_the_process() -> None:
    book().change(ALL)
    assert book().orders == ALL


def test_who_changes_them_is_told_once() -> None:
    told: list[Orders] = []
    made = Book(lambda: told.append(made.orders))
    made.change(ALL)
    made.change(ALL)
    assert told == [ALL]


def test_they_lie_where_a_reboot_leaves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAMAN_STATE_DIR")
    monkeypatch.delenv("HAMAN_RUN_DIR", raising=False)
    assert str(paths.orders()) == "/var/lib/haman/orders.json"
    monkeypatch.setenv("HAMAN_RUN_DIR", "/elsewhere")
    assert str(paths.orders()) == "/elsewhere/state/orders.json"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"maintenance": 1, "given": {}, "planned": []}', '{"maintenance', UNKNOWN_SITE]
)
def test_a_file_that_nobody_can_read_is_said_and_forgotten(text: str, caplog: pytest.LogCaptureFixture) -> None:
    paths.orders().parent.mkdir(parents=True)
    paths.orders().write_text(text)
    assert book().orders == Orders()
    assert "orders given before are forgotten" in caplog.text


def test_an_order_that_cannot_be_written_down_is_refused_and_does_not_count() -> None:
    made = book()
    paths.state_directory().write_text("a file in the directory's place")
    with pytest.raises(Refused, match="cannot be written down"):
        made.change(ALL)
    assert made.orders == Orders()


def test_what_was_given_away_is_waited_for_until_it_is_taken_back() -> None:
    words = "it was given to lb2 (haman switchover --back public lets this director take it again)"
    assert ALL.waiting() == {"public": words}
    assert ALL.take_back(["public", "other"]) == replace(ALL, given={})


def test_as_json() -> None:
    assert json.loads(json.dumps(ALL.plain())) == ALL.plain()


def test_a_fault_of_maintenance_says_how_it_ends() -> None:
    assert Maintenance(why="", by="anna", at=0).words == "maintenance (haman maintenance off ends it)"
    assert Maintenance(why="disk", by="anna", at=0).words == "maintenance: disk (haman maintenance off ends it)"


def test_what_an_older_haman_wrote_down_has_no_sites() -> None:
    paths.orders().parent.mkdir(parents=True)
    paths.orders().write_text(
        '{"maintenance": null, "given": {"public": {"to": "lb2", "by": "ben", "at": 2.5}}, "planned": []}'
    )
    assert book().orders == Orders(given=ALL.given)


def test_what_has_happened_already_counts_though_it_cannot_be_written_down(caplog: pytest.LogCaptureFixture) -> None:
    made = book()
    paths.state_directory().write_text("a file in the directory's place")
    made.note(ALL)
    assert made.orders == ALL
    assert "a restart of the director forgets it" in caplog.text
