"""Routes and rules of the checked file -> the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.model import routing as model

if TYPE_CHECKING:
    from haman.config.shape.routers import VirtualRoute, VirtualRule
    from haman.model.addresses import Network


def route(written: VirtualRoute) -> model.VirtualRoute:
    return model.VirtualRoute(
        destination=written.to,
        via=written.via,
        device=written.dev,
        source=written.source,
        metric=written.metric or (model.IPV6_METRIC if written.to.version == 6 else 0),
        table=written.table or model.MAIN,
    )


def _some(network: Network | None) -> Network | None:
    """None for every address of a family: the kernel keeps no such thing of a rule, and tells of none."""
    return network if network is not None and network.prefixlen else None


def rule(written: VirtualRule) -> model.VirtualRule:
    networks = [network for network in (written.source, written.to) if network is not None]
    return model.VirtualRule(
        priority=written.priority,
        table=written.table,
        version=networks[0].version if networks else 4,
        source=_some(written.source),
        destination=_some(written.to),
        fwmark=written.fwmark or 0,
        incoming=written.dev or "",
    )
