"""haman.yaml(5): the configuration's reference page, as a manual page."""

from __future__ import annotations

from haman.config import reference
from haman.manual import roff

_END = """\
## Files

**`/etc/haman/haman.yaml`**
The configuration, unless `haman run --config` names another.

## See also

**haman**(8)
"""


def page() -> str:
    """The page in roff."""
    lines = roff.head("haman.yaml", 5, "the configuration of haman, one file for a whole cluster")
    lines += [".SH DESCRIPTION", *roff.markdown(reference.page()), *roff.markdown(_END)]
    return "\n".join(lines) + "\n"
