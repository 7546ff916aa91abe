from __future__ import annotations

from pathlib import Path

from haman.observe.families import FAMILIES, reference

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"


def test_names_are_prefixed_and_unique() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert all(name.startswith("haman_") for name in names)


def test_the_reference_page_is_the_codes() -> None:
    cure = "python -c 'from haman.observe.families import reference; print(reference(), end=\"\")' > " + str(PAGE)
    assert PAGE.read_text() == reference(), f"renew it: {cure}"
