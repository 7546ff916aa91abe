"""What the kernel refused, as a value: the caller counts it, dumps again, plans again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haman.errors import KernelRefused
    from haman.plan.ops import Op


@dataclass(frozen=True, slots=True)
class Refusal:
    op: Op
    error: KernelRefused
