"""What a file must be for its content to be a secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from haman import keyfile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("hex:" + "0f" * 32 + "\n")
    file.chmod(0o600)
    return file


def refused(file: Path) -> str:
    with pytest.raises(keyfile.KeyUnusable) as caught:
        keyfile.read(str(file), 32, 64)
    return str(caught.value)


def test_digits_and_text(file: Path) -> None:
    assert keyfile.read(str(file), 32, 64) == b"\x0f" * 32
    file.write_text("  a passphrase of thirty-two bytes  \n")
    assert keyfile.read(str(file), 32, 64) == b"a passphrase of thirty-two bytes"


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o601, 0o666])
def test_what_others_can_read_or_change_is_no_secret(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert refused(file) == f"{file} is open to others (mode {mode:04o}); chmod 600 {file}"


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640])
def test_a_group_may_read_it(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert keyfile.read(str(file), 32, 64)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_it_belongs_to_root(file: Path) -> None:
    os.chown(file, 65534, 0)
    assert refused(file) == f"{file} belongs to user 65534, who could change it; chown root {file}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"brief", "holds a secret of 5 bytes, 32 to 64 are wanted; make one: "),
        (b"x" * 65, "holds a secret of 65 bytes, 32 to 64 are wanted; make one: "),
        (b"x" * 5000, "is too long for a secret; make one: "),
        (b"hex:0g" + b"0" * 62, "has something else than pairs of hexadecimal digits after 'hex:'; "),
        (b"", "holds a secret of 0 bytes, 32 to 64 are wanted; make one: "),
    ],
)
def test_what_is_no_secret(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    assert refused(file).startswith(f"{file} {words}")
    assert not content or content.decode() not in refused(file).replace(str(file), "")


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path} is no file; write the secret into a file"
    assert refused(tmp_path / "none").startswith(f"{tmp_path}/none cannot be read: no such file or directory; make one")
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refused(tmp_path / "pipe"), "and nobody waits for its other end"
