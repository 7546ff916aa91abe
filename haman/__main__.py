"""`python -m haman` and the `haman` command: hand over to the verb."""

from __future__ import annotations

import sys

from haman.cli import main

if __name__ == "__main__":
    sys.exit(main())
