"""What the names of a command line mean."""

from __future__ import annotations

import pytest

from haman.errors import LabError
from haman.lab.choice import choose, work
from haman.lab.drills.table import TABLE
from haman.lab.stories.table import STORIES

DRILLS = tuple(entry.drill.name for entry in TABLE)
NAMES = tuple(story.name for story in STORIES)


def test_names_of_many():
    assert (choose(["failover"]).drills, choose(["failover"]).stories) == (DRILLS, ())
    assert (choose(["stories"]).drills, choose(["stories"]).stories) == ((), NAMES)
    assert (choose(["all"]).drills, choose(["all"]).stories) == (DRILLS, NAMES)


def test_names_of_one_keep_the_tables_order():
    chosen = choose(["vip-only", "stop", "nothing"])
    assert (chosen.drills, chosen.stories) == (("nothing", "stop"), ("vip-only",))


def test_a_name_that_is_none_is_told_with_those_there_are():
    with pytest.raises(LabError, match=r"no such drill: vip-onyl; there are .*vip-only.* failover, stories, all"):
        choose(["stop", "vip-onyl"])


def test_a_planted_fault_chooses_those_that_must_notice_it():
    drills, stories = work(choose(["all"]), plant="blind-trackers")
    assert (drills, [str(story) for story in stories]) == ([], ["vip-only+blind-trackers"])
    drills, stories = work(choose(["all"]), plant="abrupt-stop")
    assert [task.drill.name for task in drills] == ["stop", "upgrade"]


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["all"], {"plant": "gremlin"}, "no such planted fault: gremlin; there are .*blind-trackers"),
        (["vip-only"], {"plant": "lossy-link"}, "none of these drills is about"),
        (["all"], {"advert": "1s"}, "--advert and --software are for drills of failover"),
        (["vip-only"], {"software": "keepalived"}, "--advert and --software are for drills of failover"),
    ],
)
def test_options_that_do_not_fit(names, options, words):
    with pytest.raises(LabError, match=words):
        work(choose(names), **options)
