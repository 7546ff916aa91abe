"""haman's own table of the packet filter: written as a whole by `nft`, read back when something has changed.

table      `PacketFilter`: snapshot and apply       program    starts nft, and understands what it says
generation has anybody changed any ruleset?         known      what our own text looks like when read back
"""

from haman.kernel.nftables.table import PacketFilter

__all__ = ["PacketFilter"]
