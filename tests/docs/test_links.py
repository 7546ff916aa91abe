"""Every relative link in README.md and docs/ leads to a file and, where it names one, to a heading; and docs/README.md
leads to every page."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, ROOT, Found, links

LINKS = [link for page in PAGES for link in links(page) if "://" not in link.text]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link} {link.text}")
def test_a_link_leads_somewhere(link: Found) -> None:
    path, _, heading = link.text.partition("#")
    target = (link.page.parent / path).resolve() if path else link.page
    assert target.exists(), f"{link}: there is no {path}"
    if heading:
        assert heading in anchors(target.read_text(encoding="utf-8")), f"{link}: no heading #{heading}"


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall("^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs/README.md"
    led = {(index.parent / link.text.partition("#")[0]).resolve() for link in links(index)}
    assert set(PAGES) - led - {index, ROOT / "README.md"} == set()
