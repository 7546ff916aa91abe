"""The kernel's count of changes to its packet filter: every transaction of anybody, in any table, adds one.

One request, some microseconds, where starting nft takes twenty milliseconds. A level and no event: nothing can be lost
on the way. Source: include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h of Linux 6.12.
"""

from __future__ import annotations

import os
import struct

from haman.errors import KernelRefused, KernelUnavailable
from haman.kernel.netlink import Netlink, Request, attributes

NETLINK_NETFILTER = 12
_GETGEN = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN
_HEADER = struct.Struct(">BBH")  # struct nfgenmsg
_ID = 1  # NFTA_GEN_ID
_BIG32 = struct.Struct(">I")


class Generation:
    """Not for two users at once."""

    def __init__(self) -> None:
        """Raises KernelUnavailable."""
        self._netlink = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        self._netlink.close()

    def now(self) -> int:
        """Raises KernelUnavailable where there is no nftables, or none for us."""
        try:
            answer = self._netlink.ask(Request(_GETGEN, 0, _HEADER.pack(0, 0, 0)))
            start, _ = attributes(answer, _HEADER.size, len(answer))[_ID]
        except (KernelRefused, KeyError) as error:
            why = os.strerror(error.errno) if isinstance(error, KernelRefused) else "it does not count its changes"
            hint = "nftables is the kernel's option CONFIG_NF_TABLES, module nf_tables"
            raise KernelUnavailable(f"this kernel does not answer for its packet filter: {why}; {hint}") from error
        return int(_BIG32.unpack_from(answer, start)[0])
