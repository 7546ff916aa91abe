from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from haman import config
from haman.director import digest
from haman.lab.variants import FAILOVER


def test_notation_makes_no_difference_and_meaning_does(tmp_path: Path) -> None:
    text = FAILOVER.read_text()
    plain = config.parse(text, "a.yaml")
    spelled = config.parse("# another comment\n" + text.replace("500ms", "0.5s"), "b.yaml")
    assert text.replace("500ms", "0.5s") != text
    assert digest.of_cluster(plain) == digest.of_cluster(spelled)
    assert digest.of_cluster(plain) != digest.of_cluster(config.parse(text.replace("500ms", "501ms"), "c.yaml"))
    assert digest.of_cluster(plain) != digest.of_cluster(replace(plain, services={}))
    assert len(digest.of_cluster(plain)) == 16


def test_the_order_of_sets_makes_no_difference() -> None:
    """Strings hash differently in every process, so sets come in another order there."""
    import subprocess
    import sys

    program = (
        "from haman import config; from haman.director import digest; from pathlib import Path;"
        f"print(digest.of_cluster(config.load(Path({str(FAILOVER)!r}))))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(digests) == 1
