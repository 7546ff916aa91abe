from __future__ import annotations

from dataclasses import replace

from haman.observe.history import History
from tests.observe.test_journal import TAKEOVER


def test_bounded_and_in_order() -> None:
    history = History(length=3)
    for number in range(5):
        history.record(replace(TAKEOVER, why=str(number)))
    assert [transition.why for transition in history.last(10)] == ["2", "3", "4"]
    assert [transition.why for transition in history.last(2)] == ["3", "4"]
    assert history.last(0) == []
