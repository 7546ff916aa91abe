"""`python -m haman.manual FOLDER`: write the manual pages below FOLDER, such as /usr/local/share/man."""

from __future__ import annotations

import sys
from pathlib import Path

from haman.manual import settings, verbs

PAGES = {"man8/haman.8": verbs.page, "man5/haman.yaml.5": settings.page}


def main(words: list[str]) -> int:
    """0, 1 when a page cannot be written, 2 when it is called wrong."""
    if len(words) != 1 or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    for name, page in PAGES.items():
        path = Path(words[0], name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page(), encoding="utf-8")
        except OSError as error:
            print(f"haman.manual: {path}: {error.strerror}", file=sys.stderr)
            return 1
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
