"""haman under exactly the privileges of systemd/haman.service, on a real kernel: it does all it has to.

setpriv and prlimit (util-linux) put a program where systemd would.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from haman.director import privileges
from haman.errors import Unreachable
from tests.kernel import pair as pairs
from tests.kernel.pair import HEAD, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Network

pytestmark = pytest.mark.kernel

UNIT = (Path(__file__).parents[2] / "systemd/haman.service").read_text()
ROUTERS = pairs.ROUTERS.replace("100ms", "1s")
"""No pause of a busy machine is longer than three of these."""

SERVICES = """
services:
  web: {address: 10.0.0.100, port: 80, scheduler: mh, check: {tcp: {}, interval: 500ms},
        servers: {rs1: {address: 10.0.0.1}}}
"""


def setting(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    assert found, name
    return found[1]


def confined(without: str = "") -> list[str]:
    names = [name for name in setting("CapabilityBoundingSet").split() if name != without]
    some = ",".join("+" + name.removeprefix("CAP_").lower() for name in names)
    return [
        "prlimit", f"--rtprio={setting('LimitRTPRIO')}", "--memlock=unlimited",
        "setpriv", f"--bounding-set=-all,{some}", "--inh-caps=-all", "--no-new-privs",
    ]  # fmt: skip


def capabilities(pid: int) -> set[str]:
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("CapPrm"))
    bits = int(line.split()[1], 16)
    known = {name for name, number in privileges.CAPABILITIES.items() if bits >> number & 1}
    assert bits.bit_count() == len(known)
    return known


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may enter: hooks run as another one."""
    made = Path(tempfile.mkdtemp(prefix="haman-privileges-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def pair(network: Network, place: Path) -> Pair:
    return Pair(network, place)


def test_what_the_unit_grants_suffices(pair: Pair) -> None:
    told, hung = pair.directory / "told", pair.directory / "hung"
    for path in (told, hung):
        path.touch()
        path.chmod(0o666)
    script = pair.directory / "hook.sh"
    script.write_text(f'#!/bin/sh\necho "$(id -un) $2 $3" >> {told}\n')
    slow = pair.directory / "slow.sh"
    slow.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {hung}\nwhile :; do sleep 1; done\n")
    for path in (script, slow):
        path.chmod(0o755)
    fast = f"{{on: [active], run: {script}, user: nobody}}"
    hooks = f"hooks: [{fast}, {{on: [active], run: {slow}, user: nobody, timeout: 1s}}]\n"
    text = HEAD + ROUTERS + SERVICES + hooks
    with pair.hosts["lb1"].call(socket.create_server, ("", 80)):
        pair.start("lb1", text, through=confined())
        pair.until(lambda: pair.role("lb1") == "active")
        pair.start("lb2", HEAD + ROUTERS + SERVICES, through=confined())
        pair.until(lambda: pair.role("lb2") == "standby")
        pair.until(
            lambda: pair.holds("lb1") and "0A000001:0050" in pair.hosts["lb1"].read("/proc/thread-self/net/ip_vs")
        )
        pair.until(lambda: told.read_text().startswith("nobody public MASTER\n"))
        pair.until(lambda: "timeout" in pair.log("lb1"))
    elector = pair.processes["lb1"].pid
    director = pair.ask("lb1", "status")["pid"]
    assert capabilities(elector) == {
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_NET_BIND_SERVICE",
        "CAP_SETUID",
        "CAP_SETGID",
        "CAP_KILL",
    }
    assert capabilities(director) == {"CAP_NET_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_KILL"}
    assert os.sched_getscheduler(elector) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    assert os.sched_getscheduler(director) == os.SCHED_OTHER
    assert "limited" not in pair.log("lb1")
    assert not Path(f"/proc/{int(hung.read_text())}").exists()
    assert pair.reload("lb1", text + "log: {level: debug}\n")["ok"]
    pair.stop("lb1")
    pair.until(lambda: pair.holds("lb2"))
    assert not pair.holds("lb1")


def test_a_first_ping_check_starts_a_director_that_may(pair: Pair) -> None:
    pair.start("lb1", HEAD + ROUTERS + SERVICES, through=confined())
    pair.until(lambda: pair.role("lb1") == "active")
    before = pair.ask("lb1", "status")["pid"]
    outcome = pair.reload("lb1", HEAD + ROUTERS + SERVICES.replace("tcp: {}", "ping: {}"))
    assert "a new director is started" in outcome["words"]

    def anew() -> bool:
        try:
            return pair.role("lb1") == "active" and pair.ask("lb1", "status")["pid"] != before
        except Unreachable:
            return False

    pair.until(anew)
    assert "CAP_NET_RAW" in capabilities(pair.ask("lb1", "status")["pid"])
    assert "active ->" not in pair.log("lb1")
    pair.until(lambda: pair.ask("lb1", "status")["services"][0]["state"] == "up")


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("CAP_NET_RAW", "haman run needs CAP_NET_RAW and CAP_NET_ADMIN"),
        ("CAP_NET_ADMIN", "Operation not permitted"),
    ],
)
def test_each_of_the_two_is_needed(pair: Pair, without: str, words: str) -> None:
    pair.start("lb1", HEAD + ROUTERS + SERVICES, through=confined(without))
    pair.until(lambda: words in pair.log("lb1"))
    assert not pair.holds("lb1")


@pytest.mark.parametrize("without", ["CAP_SETUID", "CAP_SETGID"])
def test_hooks_as_another_user_need_these(pair: Pair, without: str) -> None:
    text = HEAD + ROUTERS + "hooks: [{on: [active], run: /bin/true, user: nobody}]\n"
    pair.start("lb1", text, through=confined(without))
    pair.until(lambda: "could not be started: Operation not permitted" in pair.log("lb1"))
    assert pair.holds("lb1")
