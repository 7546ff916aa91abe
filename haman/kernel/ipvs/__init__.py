"""The kernel's IPVS table over generic netlink.

table: `Ipvs`, the only class others need. encode, decode: operations to bytes and bytes to objects. numbers: the names
of uapi/linux/ip_vs.h. proc: the cheap look at /proc/net/ip_vs. Our own packing, as programming ten thousand servers
through a general netlink library would hold the loop for seconds.
"""

from haman.kernel.ipvs.decode import Traffic
from haman.kernel.ipvs.table import Ipvs
from haman.kernel.refusal import Refusal

__all__ = ["Ipvs", "Refusal", "Traffic"]
