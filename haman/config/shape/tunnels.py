"""Tunnels to servers."""

from __future__ import annotations

from typing import Annotated

from haman.config.forms.words import Choice
from haman.config.shape.base import Shape, setting
from haman.config.shape.types import PortOrNone
from haman.model.services import TunnelChecksum, TunnelType


class Tunnel(Shape):
    """How packets are wrapped with `forward: tun`."""

    type: Annotated[TunnelType, Choice("a tunnel type", TunnelType, others={"fou": "gue"})] = setting(
        "The kind of tunnel; the server must unwrap the same.", default="ipip", example="gue"
    )
    port: PortOrNone = setting(
        "The UDP port on which the server unwraps GUE.", otherwise="none; `gue` needs one", example=6080
    )
    checksum: Annotated[
        TunnelChecksum, Choice("a tunnel checksum", TunnelChecksum, others={"csum": "full", "remcsum": "remote"})
    ] = setting(
        "The checksum of the outer packet. `full` with `gre` and `gue`, `remote` (remote checksum offload) with"
        " `gue` only.",
        default="none",
        example="full",
    )
