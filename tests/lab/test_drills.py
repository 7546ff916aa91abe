"""The table of drills and planted faults: complete, consistent, and what a session makes of it."""

from __future__ import annotations

import itertools

import pytest

from haman import config
from haman.errors import LabError
from haman.lab.drills.base import Course
from haman.lab.drills.table import TABLE
from haman.lab.plants import PLANTS
from haman.lab.session import tasks
from haman.lab.stories.table import STORIES
from haman.lab.variants import Variant


def test_names_are_unique():
    names = [entry.drill.name for entry in TABLE]
    assert len(set(names)) == len(names)


def test_every_drill_has_a_fault_that_it_must_notice():
    assert [entry.drill.name for entry in TABLE if not entry.drill.plants] == []


def test_every_planted_fault_is_noticed_by_a_drill_or_a_story():
    used = {plant for entry in TABLE for plant in entry.drill.plants}
    used |= {plant for story in STORIES for plant in story.plants} & PLANTS.keys()
    assert used == set(PLANTS)


def test_a_plant_is_done_in_one_way():
    for plant in PLANTS.values():
        assert sum(map(bool, (plant.change, plant.patch, plant.during))) == 1, plant.name


def test_patches_are_all_known_to_the_wrapper():
    from haman.lab import planted

    patched = {plant.name for plant in PLANTS.values() if plant.patch}
    assert patched == planted.IN_ELECTOR.keys() | planted.IN_DIRECTOR.keys()


@pytest.mark.parametrize("advert", [None, "1s", "100ms", "10ms"])
@pytest.mark.parametrize("directors", [2, 3])
@pytest.mark.parametrize("plant", ["", *(name for name, plant in PLANTS.items() if plant.from_the_start)])
def test_every_variant_is_a_good_file(tmp_path, advert, directors, plant):
    model = config.load(str(Variant(advert, directors, plant).write(tmp_path)))
    expected = {None: 0.1, "1s": 1.0, "100ms": 0.1, "10ms": 0.01}[advert]
    assert (model.routers["public"].advert_interval, len(model.directors)) == (expected, directors)


def test_plants_in_the_file(tmp_path):
    def model(plant: str):
        return config.load(str(Variant(plant=plant).write(tmp_path)))

    assert model("").sync is not None
    assert model("sync-off").sync is None
    assert all(service.check is None for service in model("blind-checks").services.values())
    assert {type(service.check.probe).__name__ for service in model("connect-checks").services.values()} == {"TcpProbe"}
    assert all(service.minimum_up.count == 0 for service in model("no-minimum").services.values())
    assert all(service.minimum_up.count == 1 for service in model("").services.values())


def test_a_session_keeps_drills_of_one_cluster_together():
    variants = [task.variant for task in tasks()]
    changes = sum(before != after for before, after in itertools.pairwise(variants))
    assert changes == len(set(variants)) - 1


def test_cuts_are_done_at_three_intervals():
    assert [task.variant.advert for task in tasks(["cable-cut"])] == ["100ms", "1s", "10ms"]
    assert [task.variant.advert for task in tasks(["cable-cut"], advert="10ms")] == ["10ms"]


def test_a_planted_fault_chooses_its_drills():
    assert {task.drill.name for task in tasks(plant="sync-off")} == {
        "cable-cut",
        "switch-cut",
        "stop",
        "switchover",
        "upgrade",
    }
    assert {task.variant.plant for task in tasks(plant="sync-off")} == {"sync-off"}
    assert {task.variant.plant for task in tasks(plant="no-announcement")} == {""}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"names": ["cable-cut", "cable-cot"]}, "no such drill: cable-cot"),
        ({"plant": "gremlin"}, "no such planted fault: gremlin"),
        ({"names": ["nothing"], "plant": "sync-off"}, "none of these drills"),
    ],
)
def test_unknown_names_are_told(arguments, words):
    with pytest.raises(LabError, match=words):
        tasks(**arguments)


@pytest.mark.parametrize(
    ("begun", "moved", "young"),
    [
        (99.9, None, True),
        (96.1, None, True),
        (95.9, None, False),
        (100.1, None, False),
        (100.1, 100.2, True),
        (100.3, 100.2, False),
    ],
)
def test_sync_explains_only_what_began_shortly_before_the_move(begun, moved, young):
    assert Course(fault=100.0, moved=moved).too_young(begun) is young
