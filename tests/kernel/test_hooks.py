"""Operators' programs beside a real election: what they are, what they cannot do to it, keepalived's own scripts."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.pair import HEAD, ROUTERS, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.lab.hosts import Network

FIELD_OF_POLICY = 41
"""proc_pid_stat(5); 0 is SCHED_OTHER, 1 SCHED_FIFO."""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may enter and root alone may write: what hooks are kept in."""
    made = Path(tempfile.mkdtemp(prefix="haman-hooks-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def pair(network: Network, place: Path) -> Pair:
    return Pair(network, place)


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_hook_is_nobody_without_real_time_or_descriptors(pair: Pair, place: Path) -> None:
    shown = script(
        place / "shown.sh",
        f"""echo "policy $(cut -d' ' -f{FIELD_OF_POLICY} /proc/$$/stat)"
echo "user $(id -un)"
echo "capabilities $(grep CapEff /proc/self/status | cut -f2)"
echo "open $(readlink /proc/$$/fd/* | cut -d: -f1 | sort -u | tr '\\n' ' ')"
""",
    )
    pair.start("lb1", HEAD + ROUTERS + f"hooks: [{{on: [active], run: {shown}}}]\n")
    pair.until(lambda: "active -> exit 0" in pair.log("lb1"))
    elector = pair.processes["lb1"].pid
    assert Path(f"/proc/{elector}/stat").read_text().rsplit(")", 1)[1].split()[FIELD_OF_POLICY - 3] == "1", "a FIFO"
    said = re.findall(r"hook public/shown.sh: (policy|user|capabilities|open) (.*)", pair.log("lb1"))
    assert dict(said) == {
        "policy": "0",
        "user": "nobody",
        "capabilities": "0000000000000000",
        "open": f"{shown} pipe ",  # what it is given and says, and the shell its script: no socket, no file of ours
    }


def test_hooks_that_hang_fork_spin_and_babble_delay_no_election(pair: Pair, place: Path) -> None:
    """Adverts every 400 ms: a standby takes over after 1.44 s of silence, so an elector that waits for a hook (2 s)
    shows, and one on a machine that stands still for half a second does not."""
    hooks = [
        script(place / "hang.sh", "trap '' TERM INT HUP\nwhile :; do sleep 1; done"),
        script(place / "spin.sh", "for each in 1 2 3 4 5 6; do (while :; do :; done) & done\nwait"),
        script(place / "fork.sh", "for each in $(seq 8); do sleep 60 & done\nwait"),
        script(place / "babble.sh", "exec yes 'and so on, and so on'"),
    ]
    lines = "".join(f"  - {{on: [active, standby, fault, stop], run: {each}, timeout: 2s}}\n" for each in hooks)
    text = HEAD + ROUTERS.replace("100ms", "400ms") + "hooks:\n" + lines
    pair.start("lb1", text)
    pair.until(lambda: pair.role("lb1") == "active")
    pair.start("lb2", text)
    pair.until(lambda: pair.role("lb2") == "standby")
    pair.until(lambda: "public/babble.sh: active -> timeout" in pair.log("lb1"), within=120)
    pair.until(lambda: "public/babble.sh: standby -> timeout" in pair.log("lb2"), within=120)
    assert "standby -> active" not in pair.log("lb2"), "the active one was late with its advertisements"
    pair.crash("lb1")
    pair.until(lambda: "standby -> active" in pair.log("lb2"))
    silence = re.search(
        r"standby -> active: nothing heard from 10.0.0.1 \(priority 150\) for ([0-9.]+) s", pair.log("lb2")
    )
    assert silence, pair.log("lb2")
    assert float(silence[1]) < 2.5
    pair.until(lambda: "public/hang.sh" in pair.log("lb2"))
    pair.processes["lb2"].signal(15)
    assert pair.processes["lb2"].wait(30) == 0
    left = pair.hosts["lb2"].run("ps", "axww", "-o", "args").stdout
    assert "and so on" not in left
    assert str(place) not in left


TRANSITIONS = Path(__file__).parents[2] / "etc/examples/hooks/transitions.sh"

NAMED = """
trap 'echo looked again >> named.log' HUP
mkdir -p /run/named
echo $$ > /run/named/named.pid
touch ready
while :; do sleep 1 & wait; done
"""

KEEPALIVED = """
vrrp_instance public {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority 150
  advert_int 1
  notify NOTIFY root
  virtual_ipaddress { 10.0.0.100/24 }
}
"""


@pytest.mark.parametrize("software", ["haman", "keepalived"])
def test_a_transitions_script_in_the_manner_of_the_dns_cluster(pair: Pair, place: Path, software: str) -> None:
    """The same file under both, and the same things happen: it runs unchanged."""
    host = pair.hosts["lb1"]
    named = script(place / "named.sh", f"cd {place}" + NAMED)
    shutil.copy(TRANSITIONS, place)
    told_of = f'echo "$1 $2 $3 $4" >> {place}/told\nexec {place}/{TRANSITIONS.name} "$@"'
    transitions = script(place / "transitions", told_of)
    host.spawn(named)
    pair.until((place / "ready").exists)
    if software == "haman":
        hook = f"{{on: [active, standby, fault, stop], run: {transitions}, user: root}}"
        routers = "routers: {public: {interface: eth0, vrid: 51, addresses: [10.0.0.100/24], advert_interval: 1s}}\n"
        pair.start("lb1", HEAD + routers + f"hooks:\n  - {hook}\n")
    else:
        config = place / "keepalived.conf"
        config.write_text(KEEPALIVED.replace("NOTIFY", str(transitions)))
        argv = ["keepalived", "--dont-fork", "--vrrp", "--use-file", config]
        pair.processes["lb1"] = host.spawn(*argv, log=pair.log_file("lb1"))

    def told() -> list[str]:
        return (place / "told").read_text().splitlines() if (place / "told").exists() else []

    def looked() -> int:
        log = place / "named.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def on_lo() -> bool:
        return "10.0.0.53/32" in host.run("ip", "address", "show", "dev", "lo").stdout

    def routed() -> bool:
        return "10.7.0.0/24 via 10.0.0.254" in host.run("ip", "route").stdout

    pair.until(lambda: looked() == 1)
    assert (told(), on_lo(), routed()) == (["INSTANCE public BACKUP 150"], True, False)
    pair.until(lambda: looked() == 2)
    assert (told()[1:], on_lo(), routed()) == (["INSTANCE public MASTER 150"], False, True)
    host.cut("eth0")
    pair.until(lambda: looked() == 3)
    assert (told()[2:], on_lo()) == (["INSTANCE public FAULT 150"], True)
    host.heal("eth0")
    pair.until(lambda: looked() == 5)
    assert (told()[3:], on_lo(), routed()) == (
        ["INSTANCE public BACKUP 150", "INSTANCE public MASTER 150"],
        False,
        True,
    )
    pair.processes["lb1"].signal(15)
    pair.until(lambda: looked() == 6)
    assert (told()[5:], on_lo(), routed()) == (["INSTANCE public STOP 150"], True, False)
