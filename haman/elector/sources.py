"""Which of its addresses a node advertises from, in each family, and what is missing there before it can.

The IPv4 source is configured, and so is that of unicast over IPv6. Multicast over IPv6 comes from the interface's
link-local address (RFC 9568, section 5.1.2.1), which no file knows: it is looked for here. An IPv6 address is of no
use while the kernel still asks whether somebody else has it, and for ever if somebody has.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from haman.model.kernel import AddressState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from haman.model.addresses import Address
    from haman.model.elector import RouterConfig
    from haman.model.kernel import AddressConfig, AddressKey


class Sources:
    def __init__(self) -> None:
        self._found: dict[str, dict[Address, AddressState]] | None = None  # None: nobody has looked yet
        self._vips: frozenset[Address] = frozenset()

    def set_vips(self, routers: Collection[RouterConfig]) -> None:
        """A VIP may be link-local too, and is nobody's source."""
        self._vips = frozenset(vip.ip for router in routers for vip in router.addresses)

    def replace(self, addresses: Mapping[AddressKey, AddressConfig]) -> None:
        """All addresses of this machine."""
        self._found = {}
        for key, config in addresses.items():
            self.change(key, config)

    def change(self, key: AddressKey, config: AddressConfig | None) -> bool:
        """One address is new, has a new state, or (None) is gone. Whether that says anything about sources."""
        if self._found is None:
            return False
        there = self._found.setdefault(key.device, {})
        before, after = there.pop(key.ip, None), config.state if config is not None else None
        if after is not None:
            there[key.ip] = after
        return before is not after and key.ip not in self._vips

    def has(self, key: AddressKey) -> bool:
        return key.ip in (self._found or {}).get(key.device, {})

    def of(self, router: RouterConfig, family: int) -> Address | None:
        """None while there is none: see `missing`."""
        if family == 4:
            return router.source
        if router.source6 is not None:
            return router.source6 if AddressState.USABLE in self._states(router.source6).values() else None
        return self.link_local(router.interface)

    def link_local(self, device: str) -> IPv6Address | None:
        """The one of the device's own that is usable, the lowest of several."""
        usable = [ip for ip, state in self._link_local(device).items() if state is AddressState.USABLE]
        return min(usable, key=int, default=None)

    def missing(self, router: RouterConfig) -> str | None:
        """Why this router cannot speak in one of its families, in words; None when it can, or nobody has looked."""
        if self._found is None:
            return None
        if 4 in router.families and router.source is not None and not self._states(router.source):
            return f"this machine does not have {router.source}, the address it advertises from"
        if 6 not in router.families or self.of(router, 6) is not None:
            return None
        if router.source6 is None:
            states: Mapping[IPv6Address, AddressState] | Mapping[Address, AddressState]
            states = self._link_local(router.interface)
            none = f"no usable link-local address on {router.interface} yet (or IPv6 is switched off there)"
        else:
            states = self._states(router.source6)
            none = f"this machine does not have {router.source6}, the address it advertises from"
        for ip, state in states.items():
            if state is AddressState.DUPLICATE:
                return f"another machine has {ip}, the address of {router.interface} (duplicate address detection)"
        for ip in states:
            return f"{ip} on {router.interface} is tentative: the kernel still asks whether another machine has it"
        return none

    def _states(self, ip: Address) -> dict[Address, AddressState]:
        """Of this address, the best one if several devices have it."""
        states = [there[ip] for there in (self._found or {}).values() if ip in there]
        usable = AddressState.USABLE in states
        return {ip: AddressState.USABLE if usable else states[0]} if states else {}

    def _link_local(self, device: str) -> dict[IPv6Address, AddressState]:
        there = (self._found or {}).get(device, {})
        return {
            ip: state
            for ip, state in there.items()
            if isinstance(ip, IPv6Address) and ip.is_link_local and ip not in self._vips
        }
