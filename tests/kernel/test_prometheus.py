"""Debian's Prometheus: does it take our rules and our page, and does it see what happens to a real cluster?"""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from haman.observe import keepalived, metrics
from tests.kernel.pair import HEAD, Pair
from tests.observe.support import figures
from tests.observe.test_monitoring import FOLDER, expressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Host, Network

LISTEN = "metrics: {listen: 10.0.0.1:9112}\n"
SERVICES = """
routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 1s}}
sync: {interface: eth0}
checks: {front: {tcp: {}, interval: 500ms, fast_interval: 100ms, timeout: 200ms}}
services: {web: {address: 10.0.0.100, port: 80, check: front, servers: {rs1: {address: 10.0.0.254}}}}
"""


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="haman-prometheus-", dir="/var/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def here(network: Network) -> Host:
    return network.host("watch", {})


def test_promtool_takes_the_rules_and_they_say_what_they_should(here: Host) -> None:
    here.run("promtool", "check", "rules", FOLDER / "haman.rules.yml", timeout=120)
    here.run("promtool", "check", "config", FOLDER / "prometheus.yml", timeout=120)
    here.run("promtool", "test", "rules", FOLDER / "haman.rules.test.yml", timeout=120)


def test_promtool_takes_every_expression_of_the_dashboard(here: Host, place: Path) -> None:
    """As recording rules, with Grafana's variables filled in."""
    filled = [each.replace("$instance", ".*").replace("$__rate_interval", "1m") for each in expressions()]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(filled)]
    file = place / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    here.run("promtool", "check", "rules", file, timeout=120)


@pytest.mark.parametrize("render", [metrics.render, keepalived.render])
def test_promtool_takes_the_pages(here: Host, render: Any) -> None:
    page = render(figures()).decode()
    said = here.run("promtool", "check", "metrics", input=page, check=False, timeout=120)
    complaints = [
        line for line in said.stdout.splitlines() + said.stderr.splitlines() if not line.startswith("process_")
    ]
    if render is metrics.render:
        assert complaints == []
    else:  # the exporter's names are what they are: here it complains of its counters' missing words alone
        assert not any("error while linting" in line for line in complaints), complaints


def test_prometheus_sees_a_real_cluster(network: Network, place: Path) -> None:
    pair = Pair(network, place)
    watch = network.host("watch", {"eth0": (pair.lan, "10.0.0.253/24")})
    server = network.host("rs1", {"eth0": (pair.lan, "10.0.0.254/24")})
    listener = server.spawn("python3", "-m", "http.server", "80", "--bind", "10.0.0.254")
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job["scrape_interval"] = "1s"
    shutil.copy(FOLDER / "haman.rules.yml", place)
    (place / "prometheus.yml").write_text(yaml.safe_dump(config))
    pair.start("lb1", HEAD + SERVICES + LISTEN)
    pair.until(lambda: pair.role("lb1") == "active")
    watch.spawn(
        "prometheus",
        f"--config.file={place}/prometheus.yml",
        "--storage.tsdb.path=/run/prometheus",
        "--web.listen-address=127.0.0.1:9090",
        log=place / "prometheus.log",
    )

    def ask(what: str) -> Any:
        def fetch() -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{what}", timeout=5) as answer:
                return json.load(answer)["data"]

        try:
            return watch.call(fetch)
        except OSError:
            return None

    def value(expression: str) -> float | None:
        data = ask("query?query=" + urllib.parse.quote(expression))
        return float(data["result"][0]["value"][1]) if data and data["result"] else None

    def firing() -> dict[str, str]:
        alerts = (ask("alerts") or {"alerts": []})["alerts"]
        return {each["labels"]["alertname"]: each["annotations"]["summary"] for each in alerts}

    pair.until(lambda: value('haman:router_active:count{router="public"}') == 1, within=90)
    pair.until(lambda: value('haman_server_up{server="rs1"}') == 1)
    pair.until(lambda: value('haman_sync_daemon_running{role="master"}') == 1)
    pair.until(lambda: value('keepalived_vrrp_state{iname="public", ip_address="10.0.0.100"}') == 2)
    pair.until(lambda: value("haman_ipvs_counters_available") == 1)
    pair.until(lambda: "HamanDirectorGone" in firing())  # lb2 was never started
    listener.kill()
    pair.until(lambda: value('haman_server_reason{server="rs1", reason="refused"}') == 1)
    words = "service web has no server left, as 10.0.0.1:9112 sees it"
    pair.until(lambda: firing().get("HamanServiceDown") == words)
