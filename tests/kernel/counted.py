"""`haman` with every change it asks of the kernel over netlink, and every setting it writes, noted in a file.

argv is as for `python -m haman`; COUNTED names the file. Dumps and the like change nothing and are not noted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from haman.elector import child
from haman.kernel import sysctls
from haman.kernel.netlink import Netlink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from haman.kernel.netlink import Request
    from haman.kernel.refusal import Refusal
    from haman.plan.ops import Op

NOTES = Path(os.environ["COUNTED"])
execute, ask, apply = Netlink.execute, Netlink.ask, sysctls.apply


def note(words: str) -> None:
    with NOTES.open("a") as file:
        file.write(f"{words}\n")


def executed(self: Netlink, requests: Sequence[Request]) -> dict[int, int]:
    for request in requests:
        note(f"netlink {request[0]} {request[2][:1].hex()}")
    return execute(self, requests)


def applied(ops: Sequence[Op]) -> list[Refusal]:
    for op in ops:
        note(f"sysctl {op}")
    return apply(ops)


Netlink.execute = executed  # type: ignore[method-assign]
sysctls.apply = applied
plain = child.command


def command(config: Path, node: str | None) -> list[str]:
    argv = plain(config, node)
    return [argv[0], __file__, *argv[3:]]


child.command = command

if __name__ == "__main__":
    if "--link-fd" in sys.argv:
        from haman.director.__main__ import main

        sys.exit(main())
    else:
        from haman.cli import main as cli

        sys.exit(cli())
