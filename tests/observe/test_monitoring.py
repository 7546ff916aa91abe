"""etc/monitoring asks for nothing that haman does not tell; what Prometheus makes of it is a kernel test."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from haman.observe.families import FAMILIES

FOLDER = Path(__file__).parents[2] / "etc/monitoring"
OF_PROMETHEUS = {"instance", "job", "le"}


def exposed() -> dict[str, set[str]]:
    """Labels by the name of every sample."""
    found = {}
    for family in FAMILIES:
        labels = set(family.labels)
        for suffix in {
            "CounterMetricFamily": ("_total",),
            "InfoMetricFamily": ("_info",),
            "HistogramMetricFamily": ("_bucket", "_sum", "_count"),
            "SummaryMetricFamily": ("_sum", "_count"),
        }.get(family.kind.__name__, ("",)):
            found[family.name + suffix] = labels
    found["haman_build_info"] = {"version", "node", "cluster"}
    return found


def expressions() -> list[str]:
    rules = yaml.safe_load((FOLDER / "haman.rules.yml").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((FOLDER / "haman-dashboard.json").read_text())
    found += [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return found


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_and_label_exists(expression: str) -> None:
    samples = exposed()
    for name, selector in re.findall(r"\b(haman_\w+)(?:\{([^}]*)\})?", expression):
        assert name in samples, name
        for label in re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector):
            assert label in samples[name] | OF_PROMETHEUS, f"{name} has no label {label}"
    for labels in re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", expression):
        known = set().union(*(samples[name] for name in re.findall(r"\bhaman_\w+", expression) if name in samples))
        for label in filter(None, (each.strip() for each in labels.split(","))):
            assert label in known | OF_PROMETHEUS, label


def test_every_alert_says_what_to_do() -> None:
    rules = yaml.safe_load((FOLDER / "haman.rules.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(alerts) >= 15
    for rule in alerts:
        assert rule["labels"]["severity"] in ("page", "ticket", "note"), rule["alert"]
        assert {"summary", "what_to_do"} <= rule["annotations"].keys(), rule["alert"]


def test_panels_do_not_overlap() -> None:
    panels = json.loads((FOLDER / "haman-dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
