"""`haman` on a host where something is missing, as long as a file of the host says so.

argv is as for `python -m haman`. /run/no-ipvs: the kernel has no IPVS. /run/no-director: the director process ends as
soon as it starts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haman.elector import child
from haman.errors import KernelUnavailable
from haman.kernel.ipvs import Ipvs

if TYPE_CHECKING:
    from collections.abc import Callable

NO_IPVS = Path("/run/no-ipvs")
UNLESS = 'test ! -e /run/no-director || exit 1; exec "$@"'
made: Callable[..., None] = Ipvs.__init__


def make(self: Ipvs, *args: Any, **kwargs: Any) -> None:
    if NO_IPVS.exists():
        raise KernelUnavailable("this kernel has no IPVS")
    made(self, *args, **kwargs)


Ipvs.__init__ = make  # type: ignore[method-assign]
plain = child.command


def command(config: Path, node: str | None) -> list[str]:
    argv = plain(config, node)
    return ["/bin/sh", "-c", UNLESS, "sh", argv[0], __file__, *argv[3:]]


child.command = command

if __name__ == "__main__":
    if "--link-fd" in sys.argv:
        from haman.director.__main__ import main

        sys.exit(main())
    else:
        from haman.cli import main as cli

        sys.exit(cli())
