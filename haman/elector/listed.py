"""What follows from a router's list of addresses, worked out once and not for each advertisement: with a thousand
of them and a hundred advertisements a second that alone would keep the elector busy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.model.addresses import Address
    from haman.model.elector import RouterConfig


class Lists(NamedTuple):
    """families: as of the router. advertised: by family, in the order of the packet. known: the same, to look up."""

    families: tuple[int, ...]
    advertised: Mapping[int, tuple[Address, ...]]
    known: Mapping[int, frozenset[Address]]


class Listed:
    def __init__(self) -> None:
        self._worked_out: dict[str, tuple[RouterConfig, Lists]] = {}

    def of(self, router: RouterConfig) -> Lists:
        """Kept as long as it is the very same object: a reload brings others."""
        held = self._worked_out.get(router.name)
        if held is None or held[0] is not router:
            families = router.families
            advertised = {family: router.advertised(family) for family in families}
            known = {family: frozenset(addresses) for family, addresses in advertised.items()}
            held = self._worked_out[router.name] = (router, Lists(families, advertised, known))
        return held[1]
