"""`haman release`: take this node's VIPs off the NICs when haman is not there to do it. For the unit's ExecStopPost.

It goes by what haman wrote down of its addresses, so it needs no configuration. After an orderly stop there is nothing
to take off. While a haman runs here it does nothing: the VIPs are in its hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from haman import paths

if TYPE_CHECKING:
    import argparse

FINE, FAILED, RUNNING = 0, 1, 3


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Exit codes: 0 no VIP of ours is on a NIC now, 1 one could not be taken off, 3 haman runs here, so nothing was "
        "done. What lies on `lo` and the IPVS table stay: connections that still come are served."
    )


def run(_: argparse.Namespace) -> int:
    """0, 1 or 3."""
    if _alive():
        print(f"haman runs here ({paths.control_socket()} answers): nothing was done")
        return RUNNING
    return asyncio.run(_release())


def _alive() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(paths.control_socket()))
        return True
    return False


async def _release() -> int:
    from haman.director import withdraw
    from haman.kernel.addresses import Addresses

    addresses = Addresses()
    await addresses.open()
    removed, refused = await withdraw.withdraw(addresses, withdraw.NOTHING)
    await addresses.close()
    failed = {refusal.op.key for refusal in refused}
    for op in removed:
        if op.key not in failed:
            print(f"removed {op.key}")
    for refusal in refused:
        print(refusal.error)
    if not removed:
        print("no VIP of haman's is on a NIC")
    return FAILED if refused else FINE
