"""`python -m haman.lab COMMAND ...`: run a command as root in the laboratory's machine."""

from __future__ import annotations

import sys

from haman.lab.kernels import find
from haman.lab.machine import Machine

if __name__ == "__main__":
    sys.exit(Machine(find()).run(sys.argv[1:]))
