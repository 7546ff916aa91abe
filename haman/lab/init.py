"""The first process of the laboratory's machine: lays out the file system, runs one command, says how it ended.

machine starts it with the isolated interpreter (`python -I -S`). Every import costs a freshly booted machine time, so
only light modules may be imported here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import termios
from pathlib import Path
from typing import TypedDict

from haman.lab.covers import cover
from haman.lab.links import Ports
from haman.lab.syscalls import MS_BIND, MS_PRIVATE, MS_REC, mount, power_off, set_read_only


class Order(TypedDict):
    """What is to be done; machine writes it as JSON into the working folder."""

    booted: bool
    """On a kernel of our own, or in fresh namespaces of the host's."""
    modules: str
    """The folder of that kernel's modules; empty when it has none."""
    command: list[str]
    directory: str
    """Where the command runs."""
    environment: dict[str, str]
    work: str
    """The folder of the host's that is writable."""
    writable: list[str]
    """Further ones; they exist."""
    keep: list[str]
    """Folders that stay visible though they lie in one that is emptied."""
    output: str
    """What takes the command's output: the path of a terminal, or the number of an open descriptor."""
    status: str
    """The file for the answer: {"status": the command's exit status}, or {"error": why there is none}."""


def _lay_out(order: Order) -> None:
    work = Path(order["work"])
    writable = [work, *map(Path, order["writable"])]
    keep = [Path(path) for path in order["keep"]]
    if not order["booted"]:
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    if not order["booted"]:
        for folder in writable:
            mount(str(folder), str(folder), flags=MS_BIND)
        set_read_only("/", True, recursive=True)
        for folder in (Path("/proc"), Path("/sys"), *writable):
            set_read_only(str(folder), False, recursive=False)
        keep += writable
    for directory, mode in (("/tmp", "1777"), ("/var/tmp", "1777"), ("/dev/shm", "1777"), ("/run", "0755")):
        Path(directory).mkdir(exist_ok=True)
        cover(Path(directory), keep, mode)
    for directory in ("/run/lock", "/run/netns", "/tmp/root"):
        Path(directory).mkdir(parents=True)
    if order["booted"]:
        for folder in writable:
            folder.mkdir(parents=True, exist_ok=True)
            mount("none", str(folder), "hostfs", data=str(folder))
        terminals = Path("/dev/pts")
        terminals.mkdir(exist_ok=True)
        mount("devpts", str(terminals), "devpts", data="mode=0620,ptmxmode=0666")
    order["environment"]["HAMAN_STATE_DIR"] = "/run/haman/state"  # the hosts have one /var/lib, which is read-only
    socket.sethostname("lab")
    Ports().up("lo")


def _load_modules(folder: str) -> None:
    """Let the kernel find its modules, which do not lie where it looks, and load the one it does not ask for."""
    base = Path("/run/modules/lib")
    base.mkdir(parents=True)
    (base / "modules").symlink_to(folder)
    loader = base / "modprobe"
    loader.write_text(f'#!/bin/sh\nexec modprobe --dirname {base.parent} "$@"\n')
    loader.chmod(0o755)
    Path("/proc/sys/kernel/modprobe").write_text(str(loader))
    subprocess.run([loader, "ip_vs"], check=True)


def _opened(output: str) -> int:
    """The order's output, open; a terminal is made to pass every byte as it is."""
    if output.isdigit():
        return int(output)
    console = os.open(output, os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(console)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(console, termios.TCSANOW, attributes)
    return console


def _run(order: Order, output: int) -> int:
    """Run the command to its end, reaping every orphan meanwhile. Returns an exit status as a shell counts it."""
    child = os.fork()
    if not child:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            os.chdir(order["directory"])
            os.execvpe(order["command"][0], order["command"], order["environment"])
        except OSError as error:
            os.write(2, f"{order['command'][0]}: {error.strerror}\n".encode())
        os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main(order_file: str) -> None:
    """Carry out the order in this file, and turn the machine off."""
    order: Order = json.loads(Path(order_file).read_text())
    answer: dict[str, int | str]
    try:
        _lay_out(order)
        if order["modules"]:
            _load_modules(order["modules"])
        answer = {"status": _run(order, _opened(order["output"]))}
    except Exception as error:  # the first process must not die of anything: that would be a kernel panic
        answer = {"error": f"{type(error).__name__}: {error}"}
    Path(order["status"]).write_text(json.dumps(answer))
    if order["booted"]:
        os.sync()
        power_off()
