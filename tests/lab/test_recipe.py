from __future__ import annotations

import pytest

from haman.errors import LabError
from haman.lab.recipe import PATCHES, Patch, missing, name, options, settings

PATCH = Patch("a/b.c", "old", "new", "because")


def test_settings_are_the_lines_that_set_something():
    assert settings(["# words", "", "CONFIG_A=y", "  CONFIG_B=4 "]) == ["CONFIG_A=y", "CONFIG_B=4"]


@pytest.mark.parametrize("line", ["CONFIG_A", "A=y", "CONFIG_A is not set"])
def test_a_line_that_is_neither_comment_nor_setting_is_named_with_its_number(line):
    with pytest.raises(LabError, match=r"lab-kernel\.config:2: .*" + line):
        settings(["CONFIG_Z=y", line])


def test_the_fragment_asks_for_ipvs_and_its_schedulers_once_each():
    lines = options()
    assert "CONFIG_IP_VS=y" in lines
    assert "CONFIG_IP_VS_MH=y" in lines
    assert len(lines) == len(set(lines))


def test_missing_is_what_the_finished_configuration_does_not_hold_word_for_word():
    config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\n"
    assert missing(["CONFIG_A=y", "CONFIG_B=y", "CONFIG_C=y"], config) == ["CONFIG_B=y", "CONFIG_C=y"]


def test_a_patch_replaces_its_one_place():
    assert PATCH.apply("an old thing") == "an new thing"


@pytest.mark.parametrize(("text", "count"), [("nothing", 0), ("old and old", 2)])
def test_a_patch_refuses_a_source_it_was_not_written_for(text, count):
    with pytest.raises(LabError, match=rf"a/b\.c: .*{count} times"):
        PATCH.apply(text)


def test_the_name_is_readable_and_stays_what_it_is():
    assert name("6.12.1-1", ["CONFIG_A=y", "CONFIG_B=y"], [PATCH]) == "linux-6.12.1-1-128613277ab5"


def test_any_change_of_an_ingredient_changes_the_name_and_nothing_else_does():
    names = {
        name("6.12.1-1", ["CONFIG_A=y"], [PATCH]),
        name("6.12.1-2", ["CONFIG_A=y"], [PATCH]),
        name("6.12.1-1", ["CONFIG_A=m"], [PATCH]),
        name("6.12.1-1", ["CONFIG_A=y"], []),
        name("6.12.1-1", ["CONFIG_A=y"], [Patch("a/b.c", "old", "newer", "because")]),
    }
    assert len(names) == 5
    assert name("1", ["CONFIG_A=y", "CONFIG_B=y"], []) == name("1", ["CONFIG_B=y", "CONFIG_A=y"], [])
    assert name("1", [], [PATCH]) == name("1", [], [Patch("a/b.c", "old", "new", "for a better reason")])


def test_the_patches_name_each_file_once_so_their_order_does_not_matter():
    assert len({patch.file for patch in PATCHES}) == len(PATCHES)
