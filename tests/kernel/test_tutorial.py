"""docs/tutorial.md, on two hosts and a client: its file, its commands, and what it says will be seen."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from haman.director.ask import ask
from haman.errors import Unreachable
from tests.docs.pages import ROOT, blocks
from tests.kernel.patience import until

if TYPE_CHECKING:
    from pathlib import Path

    from haman.lab.hosts import Host, Network
    from haman.lab.processes import Process

BLOCKS = [block.text for block in blocks(ROOT / "docs/tutorial.md")]
HAMAN = (sys.executable, "-m", "haman")
CURL = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=1).read().decode(), end='')"


def role(host: Host) -> str:
    try:
        return str(host.call(ask, "status")["routers"][0]["role"])
    except (Unreachable, IndexError):
        return ""


def active_peer(host: Host) -> bool:
    """Has it heard the active one yet? One second passes between two advertisements."""
    return bool(host.call(ask, "status")["routers"][0]["active_peer"])


def get(client: Host) -> str:
    """The page, or nothing where the request is lost."""
    return client.run(sys.executable, "-c", CURL, "http://10.0.0.100/", check=False).stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (text,) = (block for block in BLOCKS if block.startswith("cluster:"))
    path = tmp_path / "haman.yaml"
    # The machine may be starved by other tests, and a router that misses three of 100 ms is rightly replaced.
    path.write_text(text.replace("advert_interval: 100ms", "advert_interval: 1s"))
    return path


def test_what_the_tutorial_tells(network: Network, file: Path, tmp_path: Path) -> None:
    lan = network.segment("lan")
    boxes = {name: network.host(name, {"eth0": (lan, f"10.0.0.{n}/24")}) for n, name in ((1, "box1"), (2, "box2"))}
    client = network.host("client", {"eth0": (lan, "10.0.0.9/24")})
    logs = [tmp_path / f"{name}.log" for name in boxes]

    def start(name: str) -> Process:
        return boxes[name].spawn(*HAMAN, "run", "--config", str(file), log=tmp_path / f"{name}.log")

    for name, box in boxes.items():  # 2. Something to serve
        page = tmp_path / name
        page.mkdir()
        (page / "index.html").write_text(f"{name}\n")
        box.spawn(sys.executable, "-m", "http.server", "80", "--directory", str(page))

    checked = boxes["box1"].run(*HAMAN, "check", str(file)).stdout  # 3. One file
    assert "this machine is director box1" in checked

    first = start("box1")  # 4. Start
    until(lambda: role(boxes["box1"]) == "active", logs=logs)
    start("box2")
    until(lambda: [role(box) for box in boxes.values()] == ["active", "standby"], logs=logs)
    until(lambda: all(box.run(*HAMAN, "status", check=False).returncode == 0 for box in boxes.values()), logs=logs)
    assert "10.0.0.100" in boxes["box1"].run("ip", "address", "show", "eth0").stdout
    assert "10.0.0.100" not in boxes["box2"].run("ip", "address", "show", "eth0").stdout
    for box in boxes.values():
        assert "10.0.0.100/32" in box.run("ip", "address", "show", "lo").stdout
        assert "FWM  1751215457" in box.run("ipvsadm", "-Ln").stdout

    assert {get(client) for _ in range(12)} == {"box1", "box2"}  # 5. Be a client

    first.signal(signal.SIGTERM)  # 6. The first failover
    while first.running():
        assert get(client), "a request was lost in an orderly stop"
    assert {get(client) for _ in range(12)} == {"box1", "box2"}
    assert "standby -> active" in boxes["box2"].run(*HAMAN, "history", "public").stdout
    start("box1")
    until(lambda: role(boxes["box1"]) == "standby" and active_peer(boxes["box1"]), logs=logs)

    for pid in boxes["box2"].processes():  # 7. Switch one box off
        if pid != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    boxes["box2"].cut("eth0")
    until(lambda: role(boxes["box1"]) == "active", logs=logs)
    until(lambda: [get(client) for _ in range(12)] == ["box1"] * 12, logs=logs)
    assert "nothing heard from 10.0.0.2" in boxes["box1"].run(*HAMAN, "why", "public").stdout
    assert "box2" in boxes["box1"].run(*HAMAN, "why", "hello").stdout
