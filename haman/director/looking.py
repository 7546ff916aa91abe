"""Does the kernel still hold what it is believed to hold? Looked at beside the turns that write to it.

IPVS notifies nobody, so a digest of /proc/net/ip_vs is taken again and again, and a dump made when it is not the digest
that went with the last dump. A difference to the belief is somebody else's doing: drift. What a turn writes while a
look is under way is known to it (`wrote`), and counts neither as drift nor as a digest to be trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from haman.director import believed, planning
from haman.errors import HamanError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Hashable, Sequence

    from haman.director.kernels import Kernels
    from haman.model.kernel import Kernel, Key
    from haman.plan.ops import Op
    from haman.plan.ownership import Ownership

TICK = 0.5
"""Seconds between two digests. With the dump and the repair after it, drift is gone within 1 s."""

AUDIT = 10.0
"""Seconds after which a dump is made though the digest is the same: it shows no thresholds, timeouts and daemons."""


class _Seen(NamedTuple):
    """What a look found: the kernel's state, repairs of what others did, the digest that goes with both."""

    actual: Kernel
    repairs: Sequence[Op]
    digest: Hashable


class Looking:
    """believed, ours: asked for when a look compares. found: called when a look has a result, or has `broken`."""

    def __init__(
        self,
        kernels: Kernels,
        *,
        believed: Callable[[], Kernel],
        ours: Callable[[], Ownership],
        found: Callable[[], None],
    ) -> None:
        self._kernels = kernels
        self._believed = believed
        self._ours = ours
        self._found = found
        self._under_way = False
        self._seen: _Seen | None = None
        self._touched: set[Key] = set()
        self._audit_at = self._rest_until = 0.0
        self.trusted: Hashable = None
        self.due = 0.0
        self.broken: HamanError | None = None

    def forget(self) -> None:
        """The kernel was opened anew: what was seen before is worth nothing."""
        self._seen = self.trusted = None

    def wrote(self, keys: Collection[Key]) -> None:
        """What was seen before is not to be trusted: who undoes this at once would find us content with it."""
        self._touched.update(keys)
        self.trusted = None

    def take(self, before: Kernel) -> tuple[Kernel, Sequence[Op]]:
        """The result of the last look becomes the belief, which was `before`. Returns it, and what would repair the
        difference."""
        if self._seen is None:
            return before, ()
        seen, self._seen = self._seen, None
        self.trusted = None if self._touched else seen.digest
        return believed.merged(seen.actual, before, self._touched), seen.repairs

    def begin(self, loop: asyncio.AbstractEventLoop, tasks: asyncio.TaskGroup) -> None:
        """A look, if it is time for one and the last is over."""
        if loop.time() >= self.due:
            self.due = loop.time() + TICK
            if not self._under_way:
                self._under_way = True
                tasks.create_task(self._look(loop))

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Costs the turns nothing but the loop's time for decoding."""
        kernels, opened, begun = self._kernels, self._kernels.opened, loop.time()
        try:
            if self.trusted is None and begun < self._rest_until:
                return
            self._touched.clear()
            before = await kernels.digest(self._ours())
            if before == self.trusted and begun < self._audit_at:
                return
            dump = await kernels.snapshot(self._ours())
            after = await kernels.digest(self._ours())
            actual, repairs = await kernels.apart(
                planning.compare, self._believed(), dump, frozenset(self._touched), self._ours()
            )
            self._seen = _Seen(actual, repairs, after if before == after else None)
            self._audit_at = begun + AUDIT
            self._rest_until = loop.time() + 2 * (loop.time() - begun)
            self._found()
        except HamanError as error:
            self.broken = error  # not closed here: a turn may be using the other socket
            self._found()
        except OSError:
            if kernels.opened is opened:  # else a turn has closed the sockets under us, and said why
                raise
        finally:
            self._under_way = False
