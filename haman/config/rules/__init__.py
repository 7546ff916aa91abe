"""What several settings must agree on. Each module asks one part of the file; every rule gives all it finds.

A rule sees a file whose parts are right by themselves. Parts that are not were taken out, so that one mistake hides
no other. So a rule takes nothing for missing before it has asked the View's names and what is `broken`; and of an
entry that lost a part only `certain` findings are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config.rules import (
    arbiter,
    around,
    authentication,
    checks,
    directors,
    families,
    groups,
    interfaces,
    routers,
    routing,
    servers,
    services,
    sites,
    trackers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haman.config.mistakes import Finding
    from haman.config.view import View


def findings(view: View) -> Iterator[Finding]:
    """Everything that is wrong or surprising between the parts of the file."""
    for part in (
        directors,
        routers,
        families,
        groups,
        routing,
        trackers,
        interfaces,
        services,
        servers,
        sites,
        checks,
        around,
        authentication,
        arbiter,
    ):
        yield from part.findings(view)
