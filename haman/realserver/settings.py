"""What kernel settings were before this machine became a real server, so that `--undo` can put them back.

A file beside those of kernel.remembered: a reboot clears it together with the settings.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from haman import files, paths
from haman.kernel import sysctls
from haman.model.kernel import SysctlConfig, SysctlKey
from haman.plan.ops import Set

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from haman.plan.ops import Op

NAME = "realserver-settings.json"


def before() -> dict[SysctlKey, SysctlConfig]:
    """As they were when haman changed them first. A file that cannot be read counts as empty."""
    try:
        entries = json.loads((paths.owned_directory() / NAME).read_text())
        return {SysctlKey(str(path)): SysctlConfig(str(value)) for path, value in entries.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def note(ops: Iterable[Op]) -> None:
    """BEFORE these are carried out: what is set now, unless it is known from an earlier time. Raises OSError."""
    known = before()
    new = sysctls.read(op.key for op in ops if isinstance(op.key, SysctlKey) and op.key not in known)
    if new:
        _write(known | new)


def putting_back(ours: Mapping[SysctlKey, SysctlConfig]) -> list[Op]:
    """For all that is still as we set it: whoever changed it since wants it so."""
    known = before()
    now = sysctls.read(known)
    return [Set(key, value) for key, value in known.items() if now.get(key) == ours.get(key) and value != now.get(key)]


def forget() -> None:
    (paths.owned_directory() / NAME).unlink(missing_ok=True)


def _write(known: Mapping[SysctlKey, SysctlConfig]) -> None:
    text = json.dumps({key.path: config.value for key, config in known.items()})
    files.replace(paths.owned_directory() / NAME, text)
