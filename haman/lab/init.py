"""The first process of the laboratory's machine: lays out the file system, runs one command, says how it ended.

Run as a script, by its path, with the isolated interpreter (`python -I -S`): every import costs a freshly booted
machine time, so nothing beyond the standard library's light modules may be imported here.
Its one argument is a JSON file in the working folder: {command, environment, directory, work, keep, root, console,
status, kind}; the answer is written beside it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from fcntl import ioctl
from pathlib import Path
from typing import Any, Final

_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = bytearray(struct.pack("16sh22x", b"lo", 0))
        ioctl(handle, _SIOCGIFFLAGS, request)
        name, flags = struct.unpack_from("16sh", request)
        ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh22x", name, flags | _IFF_UP))


def _raw_console(path: str) -> int:
    """The terminal that carries the command's output, passing every byte as it is."""
    import termios

    console = os.open(path, os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(console)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(console, termios.TCSANOW, attributes)
    return console


def _lay_out(order: dict[str, Any]) -> None:
    from haman.lab.covers import cover
    from haman.lab.syscalls import MS_PRIVATE, MS_REC, mount, set_read_only

    work = order["work"]
    keep = [Path(path) for path in order["keep"]]
    if order["kind"] == "machine":
        mount("proc", "/proc", "proc")
        mount("sysfs", "/sys", "sysfs")
    else:
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        mount("proc", "/proc", "proc")
        mount("sysfs", "/sys", "sysfs")
        set_read_only("/", True, recursive=True)
        for writable in ("/proc", "/sys"):
            set_read_only(writable, False, recursive=False)
        mount(work, work, flags=4096)
        set_read_only(work, False, recursive=False)
        keep.append(Path(work))
    for directory in ("/tmp", "/var/tmp", "/dev/shm"):
        Path(directory).mkdir(exist_ok=True)
        cover(Path(directory), keep, "1777")
    cover(Path("/run"), keep)
    for directory in ("/run/lock", "/run/netns", "/tmp/root"):
        Path(directory).mkdir(parents=True, exist_ok=True)
    if order["kind"] == "machine":
        Path(work).mkdir(parents=True, exist_ok=True)
        mount("none", work, "hostfs", data=work)
    socket.sethostname("lab")
    _loopback_up()


def _run(order: dict[str, Any]) -> int:
    """Run the command to its end, reaping every orphan meanwhile. Returns an exit status as a shell counts it."""
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(order["directory"])
        if order["console"]:
            console = _raw_console(order["console"])
            for descriptor in (1, 2):
                os.dup2(console, descriptor)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        try:
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
    order: dict[str, Any] = json.loads(Path(order_file).read_text())
    sys.path.insert(0, order["root"])
    answer: dict[str, Any]
    try:
        _lay_out(order)
        answer = {"status": _run(order)}
    except Exception as error:  # the one thing PID 1 must not do is die: that would be a kernel panic
        answer = {"error": f"{type(error).__name__}: {error}"}
    answer_file = Path(order["status"])
    answer_file.write_text(json.dumps(answer))
    if order["kind"] == "machine":
        os.sync()
        from haman.lab.syscalls import power_off

        power_off()


if __name__ == "__main__":
    main(sys.argv[1])
