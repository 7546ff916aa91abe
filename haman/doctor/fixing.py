"""`haman doctor --fix`: the kernel settings that findings say are safe to write. Nothing else is ever changed.

Only what breaks nothing that works without it is on a finding's list. It holds until the next boot, or until the
program that set it otherwise does so again: where it has to stand is in the finding's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haman.kernel import sysctls
from haman.model.kernel import SysctlConfig, SysctlKey
from haman.plan.ops import Set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from haman.doctor.finding import Finding


@dataclass(frozen=True, slots=True)
class Fix:
    """refused: the kernel's words; empty when it was written."""

    setting: str
    before: str
    after: str
    refused: str = ""

    def __str__(self) -> str:
        if self.refused:
            return f"NOT FIXED: {self.refused}"
        return f"FIXED: {self.setting} = {self.after} (was {self.before}); until the next boot"


def fix(findings: Iterable[Finding]) -> list[Fix]:
    """Each setting once, in the order of the findings."""
    wanted = {SysctlKey(path): SysctlConfig(value) for finding in findings for path, value in finding.settings}
    before = sysctls.read(wanted)
    done = []
    for key, config in wanted.items():
        refused = sysctls.apply([Set(key, config)])
        words = str(refused[0].error) if refused else ""
        old = before[key].value if key in before else "not there"
        done.append(Fix(key.path.replace("/", "."), old, config.value, words))
    return done
