"""The first process of the laboratory's machine: lays out the file system, runs one command, says how it ended.

Run by its path with the isolated interpreter (`python -I -S init.py ORDER OUTPUT`, what a kernel's command line adds
is ignored): every import costs a freshly booted machine time, so only light modules may be imported here.

ORDER is a JSON file in the working folder: booted (or only unshared from the host's own kernel), modules (folder of
a kernel's modules, or ""), command, directory, environment, work (the writable folder), keep (what stays visible),
root (of the project), status (where the answer goes: {"status": exit status} or {"error": why none}).
OUTPUT takes the command's output: the path of a terminal, or the number of an open descriptor.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __name__ != "__main__":
    from haman.lab.covers import cover
    from haman.lab.links import Ports
    from haman.lab.syscalls import MS_BIND, MS_PRIVATE, MS_REC, mount, power_off, set_read_only


def _lay_out(order: dict[str, Any]) -> None:
    keep = [Path(path) for path in order["keep"]]
    work = Path(order["work"])
    if not order["booted"]:
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    if not order["booted"]:
        mount(str(work), str(work), flags=MS_BIND)
        set_read_only("/", True, recursive=True)
        for writable in (Path("/proc"), Path("/sys"), work):
            set_read_only(str(writable), False, recursive=False)
        keep.append(work)
    for directory, mode in (("/tmp", "1777"), ("/var/tmp", "1777"), ("/dev/shm", "1777"), ("/run", "0755")):
        Path(directory).mkdir(exist_ok=True)
        cover(Path(directory), keep, mode)
    for directory in ("/run/lock", "/run/netns", "/tmp/root"):
        Path(directory).mkdir(parents=True)
    if order["booted"]:
        work.mkdir(parents=True, exist_ok=True)
        mount("none", str(work), "hostfs", data=str(work))
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
    """OUTPUT, open; a terminal is made to pass every byte as it is."""
    if output.isdigit():
        return int(output)
    console = os.open(output, os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(console)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(console, termios.TCSANOW, attributes)
    return console


def _run(order: dict[str, Any], output: int) -> int:
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


def main(order_file: str, output: str) -> None:
    order: dict[str, Any] = json.loads(Path(order_file).read_text())
    answer: dict[str, Any]
    try:
        _lay_out(order)
        if order["modules"]:
            _load_modules(order["modules"])
        answer = {"status": _run(order, _opened(output))}
    except Exception as error:  # the first process must not die of anything: that would be a kernel panic
        answer = {"error": f"{type(error).__name__}: {error}"}
    Path(order["status"]).write_text(json.dumps(answer))
    if order["booted"]:
        os.sync()
        power_off()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from haman.lab.covers import cover
    from haman.lab.links import Ports
    from haman.lab.syscalls import MS_BIND, MS_PRIVATE, MS_REC, mount, power_off, set_read_only

    main(*sys.argv[1:3])
