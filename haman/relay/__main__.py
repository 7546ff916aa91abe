"""Process 3, if a backup is reached by relay: `python -m haman.relay --link-fd N`, started by the director."""

from __future__ import annotations

import argparse
import gc
import signal
import socket
import sys
from encodings import idna as _idna  # noqa: F401  # `connect` looks for it, and it is out of reach after `descend`

from haman.relay.descend import be_ordinary, descend
from haman.relay.worker import Worker, raise_limit


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--link-fd", type=int, required=True)
    link = socket.socket(fileno=parser.parse_args().link_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_limit()
    be_ordinary()
    descend()
    worker = Worker(link)
    gc.collect()
    gc.freeze()
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
