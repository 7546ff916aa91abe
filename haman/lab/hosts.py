"""The laboratory's cluster: hosts as namespaces, wired by veth pairs to bridges that play the switches.

with Network() as network:
    lan = network.segment("lan")
    director = network.host("d1", {"eth0": (lan, "10.0.0.1/24")})
    client = network.host("c1", {"eth0": (lan, "10.0.0.9/24")})
    client.run("ping", "-c1", "10.0.0.1")

Root is needed. Everything lives in namespaces of its own, so leaving the block removes it all, and two networks do
not see each other. Names of interfaces are those of the host they are on.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from haman.errors import LabError
from haman.lab.covers import farm
from haman.lab.links import Ports
from haman.lab.namespaces import Place
from haman.lab.processes import Process, end_all, in_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType


P = ParamSpec("P")
T = TypeVar("T")
ETC = Path("/etc")


class Segment:
    """One layer 2 segment: a bridge that learns addresses and floods multicast, as a plain switch does."""

    def __init__(self, name: str) -> None:
        self.name = name


class Network:
    """A set of segments and hosts; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        with _blamed_on("hosts need root and namespaces of their own"):
            self._switches = Place("switches")
        self._ports = self._switches.call(Ports)
        self._links = 0
        _ip(self._switches, "link set lo up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill what runs on the hosts and remove them; idempotent."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._switches.close)
            stack.callback(self._ports.close)
            for host in self.hosts.values():
                stack.callback(host.close)

    def segment(self, name: str) -> Segment:
        """A new switch; its name is at most 15 characters."""
        _ip(
            self._switches,
            f"link add name {name} type bridge mcast_snooping 0 forward_delay 0",
            f"link set dev {name} up",
        )
        return Segment(name)

    def host(
        self, name: str, interfaces: Mapping[str, tuple[Segment, str | Sequence[str]]], *, forward: bool = False
    ) -> Host:
        """A new host, its interfaces up and addressed ("10.0.0.1/24", or several). forward: it routes between them."""
        place = Place(name)
        host = Host(name, place, self._ports)
        self.hosts[name] = host
        outside: list[str] = []
        inside = ["link set lo up"]
        for interface, (segment, addresses) in interfaces.items():
            self._links += 1
            port = f"p{self._links}"
            mac = f"02:00:00:00:{self._links >> 8:02x}:{self._links & 255:02x}"
            network = f"/proc/{os.getpid()}/fd/{place.network}"
            outside += [
                f"link add name {port} type veth peer name {interface} address {mac} netns {network}",
                f"link set dev {port} master {segment.name} up",
            ]
            inside.append(f"link set dev {interface} up")
            for address in [addresses] if isinstance(addresses, str) else addresses:
                inside.append(f"address add {address} dev {interface}" + (" nodad" if ":" in address else ""))
            host.attach(interface, port, segment)
        _ip(self._switches, *outside)
        _ip(place, *inside)
        if forward:
            host.sysctl("net/ipv4/ip_forward", 1)
            host.sysctl("net/ipv6/conf/all/forwarding", 1)
        return host


class Host:
    """One machine of the cluster: own network, own /run, own host name; processes and files are the laboratory's."""

    def __init__(self, name: str, place: Place, ports: Ports) -> None:
        self.name = name
        self._place = place
        self._ports = ports
        self._attached: dict[str, tuple[str, Segment]] = {}
        self._spawned: list[Process] = []
        self._own_etc = False

    def attach(self, interface: str, port: str, segment: Segment) -> None:
        self._attached[interface] = (port, segment)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run Python on this host: a socket that `function` opens stays on it for ever."""
        return self._place.call(function, *args, **kwargs)

    def run(
        self, *argv: str | Path, timeout: float = 30.0, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, output captured as text.

        Errors: LabError with its output when it outlives `timeout` seconds (it is killed) or, with `check`, fails.
        """
        words = [str(word) for word in argv]
        pipe = subprocess.PIPE
        with self._start(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace") as process:
            try:
                out, err = process.communicate(input, timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                raise LabError(f"{self.name}: {' '.join(words)}: no end within {timeout:g} s\n{out}{err}") from None
        if check and process.returncode:
            raise LabError(f"{self.name}: {' '.join(words)}: exit status {process.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def spawn(
        self,
        *argv: str | Path,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
    ) -> Process:
        """Start a program and return at once; it ends with the host at the latest.

        log: gets its output appended, but what `stdout` takes; without either it is thrown away.
        env: added to the environment. stdin, stdout: as for subprocess.Popen, e.g. PIPE.
        """
        words = [str(word) for word in argv]
        with Path(log or os.devnull).open("ab") as sink:
            process = self._start(
                words,
                stdin=stdin,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
                env={**os.environ, **(env or {})},
            )
        spawned = Process(process, f"{self.name}: {words[0]}", log)
        self._spawned.append(spawned)
        return spawned

    def _start(self, words: list[str], **options: Any) -> subprocess.Popen[Any]:
        with _blamed_on(f"{self.name}: cannot start {words[0]}"):
            return self._place.call(lambda: subprocess.Popen(words, **options))

    def ip(self, *lines: str) -> None:
        """`ip -batch`: each line is one ip command without the word ip."""
        _ip(self._place, *lines)

    def add_address(self, interface: str, address: str) -> None:
        """address: with its prefix length, "10.0.0.1/24"."""
        self.ip(f"address add {address} dev {interface}" + (" nodad" if ":" in address else ""))

    def del_address(self, interface: str, address: str) -> None:
        self.ip(f"address del {address} dev {interface}")

    def route(self, destination: str, *, via: str) -> None:
        """Set the route to `destination` ("default", "10.1.0.0/24")."""
        whole = "::/0" if ":" in via and destination == "default" else destination
        self.ip(f"route replace {whole} via {via}")

    def _port(self, interface: str) -> tuple[str, str]:
        """The switch's end of an interface, and the switch."""
        if interface not in self._attached:
            raise LabError(f"{self.name} has no interface {interface}, it has {', '.join(self._attached) or 'none'}")
        port, segment = self._attached[interface]
        return port, segment.name

    def cut(self, interface: str) -> None:
        """Pull the cable: the host sees its carrier go."""
        self._ports.down(self._port(interface)[0])

    def unplug_switch(self, interface: str) -> None:
        """Break the path behind the first switch: frames are lost both ways, the carrier stays."""
        self._ports.leave(*self._port(interface))

    def heal(self, interface: str) -> None:
        """Undo `cut` and `unplug_switch`."""
        port, bridge = self._port(interface)
        self._ports.join(port, bridge)
        self._ports.up(port)

    def sysctl(self, path: str, value: int | str) -> None:
        """path: with slashes, "net/ipv4/ip_forward"."""
        with _blamed_on(f"{self.name}: sysctl {path}={value}"):
            self._place.call(Path("/proc/sys", path).write_text, str(value))

    def read(self, path: str | Path) -> str:
        """A file as this host sees it: /run/haman/..., /sys/class/net/..., /proc/sys/...

        /proc/net is another's: it follows the main thread. Take /proc/thread-self/net.
        """
        with _blamed_on(f"{self.name}: {path}"):
            return self._place.call(Path(path).read_text)

    def write(self, path: str | Path, text: str, mode: int = 0o644) -> None:
        """A file that only this host has: in its own /run, or in /etc, of which it then has one of its own."""
        with _blamed_on(f"{self.name}: {path}"):
            self._place.call(self._write, Path(path), text, mode)

    def _write(self, path: Path, text: str, mode: int) -> None:
        if path.is_relative_to(ETC):
            if not self._own_etc:
                farm(ETC)
                self._own_etc = True
            for folder in reversed(path.parents):
                if folder.is_symlink() and folder != ETC and folder.is_relative_to(ETC):
                    _unlink_folder(folder)
            path.unlink(missing_ok=True)  # what the farm has here is a link to a file that cannot be written
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def mac(self, interface: str) -> str:
        return self.read(f"/sys/class/net/{interface}/address").strip()

    def processes(self) -> list[int]:
        """The pid of every process on this host, whoever started it."""
        return in_network(self._place.inode)

    def close(self) -> None:
        """Kill every process here and remove the host; idempotent."""
        end_all(self.processes)
        for process in self._spawned:
            process.close()
        self._place.close()


def _unlink_folder(folder: Path) -> None:
    """A real folder in place of a link to one, with links to all it had."""
    original = folder.resolve()
    entries = os.listdir(original)
    folder.unlink()
    folder.mkdir()
    for entry in entries:
        (folder / entry).symlink_to(original / entry)


def _ip(place: Place, *lines: str) -> None:
    """`ip -batch` in a place: one program start for any number of changes."""
    command, batch = ["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines)
    with _blamed_on(f"{place.name}: cannot start ip (Debian package iproute2)"):
        process = place.call(lambda: subprocess.run(command, input=batch, capture_output=True, text=True, check=False))
    if process.returncode:
        raise LabError(f"{place.name}: ip: {process.stderr.strip()}\n{batch}")


@contextlib.contextmanager
def _blamed_on(what: str) -> Iterator[None]:
    """The border: what the system refuses is the laboratory's error, with a name to it."""
    try:
        yield
    except OSError as error:
        raise LabError(f"{what}: {error.strerror or error}") from error
