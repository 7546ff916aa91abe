"""`haman run` with the stub in the director's place: argv is NODE INTERVAL."""

from __future__ import annotations

import sys
from pathlib import Path

from haman.elector import process, real

STUB = Path(__file__).with_name("stub_director.py")

if __name__ == "__main__":
    real.command = lambda config, node: [sys.executable, str(STUB), *sys.argv[1:3]]
    sys.exit(process.run(STUB, None))
