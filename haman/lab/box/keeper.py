"""Holds the machine with the cluster: a program of its own that outlives `haman lab up`, `python -m ... FOLDER LOCK`.

When it dies, however that is, the kernel ends the machine. In good order it ends when the machine does, or by SIGTERM.
"""

from __future__ import annotations

import math
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Final

from haman.errors import LabError
from haman.lab.box import order
from haman.lab.box.folder import ENDED, KEEPER, Folder
from haman.lab.box.switchboard import Switchboard
from haman.lab.machine import Kernel, Machine
from haman.lab.signals import unwinding

PATIENCE: Final = 5.0
"""Seconds for last words to callers."""

MEMORY: Final = 1536
"""MiB, taken as it is used."""


def main(arguments: list[str]) -> int:
    folder = Folder(Path(arguments[0]))
    lock = int(arguments[1])
    wanted = order.read(folder.path)
    kernel = Kernel(
        wanted.kernel,
        wanted.why,
        Path(wanted.path) if wanted.path else None,
        Path(wanted.modules) if wanted.modules else None,
    )
    ours, theirs = socket.socketpair()
    (folder.path / KEEPER).write_text(str(os.getpid()))
    with unwinding():
        switchboard = Switchboard(folder.listen(), ours)
        connecting = threading.Thread(target=switchboard.run, daemon=True)
        connecting.start()
        words = "it was ended"
        try:
            status = Machine(kernel, MEMORY).run(
                [sys.executable, "-m", "haman.lab.box.inside"],
                work=folder.path,
                timeout=math.inf,
                output=_say,
                line=theirs.fileno(),
                held=[lock],
                writable=[Path(path) for path in wanted.writable],
            )
            words = f"its command ended with status {status}"
        except LabError as error:
            words = str(error)
            status = 1
        finally:
            (folder.path / ENDED).write_text(words + "\n")
            switchboard.close()
            connecting.join(PATIENCE)
    return status


def _say(text: str) -> None:
    """Into the keeper's log."""
    print(text, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
