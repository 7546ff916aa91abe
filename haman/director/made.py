"""What this director has made in the kernel, written down BEFORE it is made, so that a crash in between forgets none.

From that and the configuration follows what is its own there: what it may change, and what it takes away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from haman.kernel import remembered
from haman.observe.journal import log

if TYPE_CHECKING:
    from haman.model.kernel import Kernel, Key
    from haman.plan.ownership import Ownership


class Made:
    """keys: what was made and is not gone. ownership: what is ours, what was made included."""

    def __init__(self) -> None:
        self.keys: frozenset[Key] = remembered.load("ipvs")
        self.ownership: Ownership

    def configure(self, ownership: Ownership) -> None:
        """Of a new configuration; what was made until now stays ours until it is gone."""
        self.ownership = replace(ownership, remembered=self.keys)

    def remember(self, *kernels: Kernel) -> None:
        """What of these is ours, and nothing else."""
        made: set[Key] = set()
        for kernel in kernels:
            made |= kernel.services.keys() | kernel.daemons.keys() | kernel.tables.keys()
        keys = frozenset(key for key in made if key in self.ownership)
        if keys == self.keys:
            return
        try:
            remembered.save("ipvs", keys)
            self.keys = keys
            self.ownership = replace(self.ownership, remembered=keys)
        except OSError as error:
            log.warning("what was made in IPVS cannot be written down: %s", error)
