"""The machine's command: builds the cluster of the order, then answers what comes over the line until `end`."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from haman import config
from haman.errors import HamanError, LabError
from haman.lab.box import logs, order
from haman.lab.box.calls import VARIABLE, Exchange, Hangup, Line
from haman.lab.box.condition import condition
from haman.lab.box.execute import execute
from haman.lab.box.layout import lay_out
from haman.lab.box.running import Running
from haman.lab.hosts import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.lab.box.calls import Channel

LOOK: Final = 0.3
"""Seconds between looks at a cluster that is not serving yet."""


class Inside:
    def __init__(self, line: Line, work: Path) -> None:
        self._line = line
        self._work = work
        self._built = threading.Event()
        self._running: Running | None = None
        self._error = ""
        self._news: list[str] = []
        self._network = contextlib.ExitStack()
        self._exchange = Exchange(
            line,
            {
                "ready": self._ready,
                "status": lambda _call, _channel: condition(self._here()),
                "run": lambda call, channel: execute(self._here().host(str(call["host"])), call, channel),
                "logs": lambda call, channel: logs.tell(self._here(), call, channel),
                "do": lambda call, _channel: self._here().do(str(call["verb"]), str(call["host"])),
                "end": self._end,
            },
        )

    def run(self) -> None:
        threading.Thread(target=self._build, daemon=True).start()
        self._exchange.run()

    def _build(self) -> None:
        try:
            wanted = order.read(self._work)
            cluster = config.parse(wanted.text, wanted.file)
            folder = self._work / "logs"
            folder.mkdir(exist_ok=True)
            network = self._network.enter_context(Network())
            running = Running(wanted, cluster, lay_out(cluster), network, folder)
            self._news.append(f"hosts: {', '.join(running.hosts)}")
            running.begin(self._news.append)
            self._running = running
        except HamanError as error:
            self._error = str(error)
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"
        self._built.set()

    def _here(self) -> Running:
        """Errors: LabError while it is not there."""
        if self._running is None:
            raise LabError(self._error or "the cluster is just being built")
        return self._running

    def _ready(self, call: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
        """Wait until clients are served, at most `patience` seconds after all was started; the condition. Says on the
        way what is done and what is lacking."""
        told = 0
        while True:
            built = self._built.wait(LOOK)
            while told < len(self._news):
                channel.say(self._news[told])
                told += 1
            if built:
                break
        running = self._here()
        deadline = time.monotonic() + float(call["patience"])
        lacking: list[str] = []
        while not (now := condition(running))["serves"] and time.monotonic() < deadline:
            if now["lacks"] != lacking:
                lacking = now["lacks"]
                channel.say(f"not yet: {'; '.join(lacking)}")
            time.sleep(LOOK)
        return now

    def _end(self, _call: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
        """Everything ends in good order; the answer is the last thing that goes over the line."""
        self._built.wait()
        if self._running is not None:
            self._running.end()
        self._network.close()
        channel.end({"answer": {}})
        self._line.drain()
        self._exchange.close()
        raise Hangup


def main() -> None:
    Inside(Line(os.environ[VARIABLE]), Path(os.environ["HAMAN_LAB_WORK"])).run()
    # Threads may wait for callers who will not come back: what they held ends with the machine.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
