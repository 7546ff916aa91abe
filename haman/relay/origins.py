"""Who is not relayed: another site, whose packets are here because it has no server left. Pure.

The packet filter leads them to local servers alone (docs/explanation/sites.md, "No circles"), so none comes here. This
holds where its rules are not: a circle of relays would not end with a TTL, but only when all sessions are taken.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from haman.model.addresses import Network


class Origins:
    def __init__(self, networks: Collection[Network]) -> None:
        self._single = {str(each.network_address) for each in networks if each.num_addresses == 1}
        self._wider = [each for each in networks if each.num_addresses > 1]

    def __contains__(self, client: object) -> bool:
        """client: an address as a socket tells it."""
        if client in self._single:
            return True
        if not self._wider:
            return False
        address = ip_address(str(client).partition("%")[0])
        return any(address in each for each in self._wider)
