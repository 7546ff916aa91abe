"""The keys by which directors know each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from haman.config.forms.numbers import Duration, Whole
from haman.config.forms.trackers import FilePath
from haman.config.forms.words import Choice, Off
from haman.config.shape.base import Either, Shape, setting
from haman.model.authentication import Mode

KeyNumber = Annotated[int, Whole(1, 255)]


class KeyFile(Shape):
    """A secret that all directors share."""

    id: KeyNumber = setting(
        "What the key is called on the wire; a new secret is a new number.",
        example=1,
    )
    file: Annotated[str, FilePath()] = setting(
        "Where the secret lies on every director: 32 to 64 bytes, or `hex:` and the digits of as many. The file belongs"
        " to root, and nobody else can read or change it. It is read at each reload.",
        example="/etc/haman/keys/1",
    )


class Signatures(Shape):
    """Signatures: what directors tell each other is signed with a secret, and what is not is refused: advertisements of
    VRRP version 3 by the HMAC trailer that keepalived speaks from 2.4.2 on, messages on the directors' channel with the
    same keys. docs/how-to/authentication.md brings it to a running cluster, and changes keys."""

    keys: Annotated[list[KeyFile], Field(min_length=1, max_length=16)] = setting(
        "The keys that are believed.",
        example=[{"id": 1, "file": "/etc/haman/keys/1"}],
    )
    send: Annotated[int | None, Whole(1, 255)] = setting(
        "The `id` of the key that signs.", otherwise="the first of `keys`", example=1
    )
    mode: Annotated[
        Mode, Choice("a mode", Mode, others={"strict": "enforce", "receive_only": "receive-only", "on": "enforce"})
    ] = setting(
        "`enforce` refuses what is not signed as it should be. `permissive` counts it, tells of it, and believes it:"
        " for the time until all directors sign. `receive-only` does the same and signs nothing: for the time until all"
        " peers know signatures, since keepalived drops what it does not know.",
        default="enforce",
        example="permissive",
    )
    window: Annotated[
        float | bool,
        Either("a time, or false", {"text": Annotated[float, Duration("1s", "5m", "1s")], "boolean": Off()}),
    ] = setting(
        "How much the directors' clocks may differ: what was signed longer ago, or is to be signed later than now by"
        " more than this, is refused as a recording. `false`: clocks do not matter; what was heard before is still"
        " refused, but a director that was restarted believes recordings until it hears the sender itself.",
        default="5s",
        example="10s",
    )
