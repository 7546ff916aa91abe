"""Debian's `nft`, started for one question or one transaction. What it refuses becomes an error of ours.

The program and not the netlink language it speaks, since it alone knows how an expression is written for the kernel
that runs; text and not JSON, since only then its answers name line and column.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from haman.errors import HamanError, KernelUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 10.0
"""Seconds. It takes twenty milliseconds; a kernel that waits for a module to be loaded takes longer."""

_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_VOLATILE = {"handle", "metainfo"}


class NftFailed(HamanError):
    """nft said no; the text is its first line of complaint."""


def installed() -> bool:
    return shutil.which("nft", path=_PATH) is not None


async def write(text: str) -> None:
    """One transaction: all of `text` or nothing of it. Raises KernelUnavailable, NftFailed."""
    await _run(("-f", "-"), text)


async def permits(text: str) -> bool:
    """Would all of `text` be accepted, by nft and by the kernel? Nothing is written."""
    if not installed():
        return False
    try:
        await _run(("-c", "-f", "-"), text)
    except (KernelUnavailable, NftFailed):
        return False
    return True


async def read(families: Sequence[str], table: str) -> str | None:
    """A digest of what the tables of this name hold, as nft lists them; None if there is none. Handles, which a
    replacement by the same changes, do not count. Raises KernelUnavailable, NftFailed."""
    there = {(each.get("family"), each.get("name")) for each in await _listed("tables", "table")}
    found = [await _listed(f"table {family} {table}") for family in families if (family, table) in there]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else None


async def _listed(what: str, kind: str | None = None) -> list[Any]:
    """kind: of the objects that are wanted, and these without the word for it."""
    listing = await _run(("-j", "list", *what.split()), "")
    try:
        held: list[Any] = _steady(json.loads(listing)["nftables"])
    except (ValueError, KeyError, TypeError) as error:
        raise NftFailed(f"nft lists what cannot be read: {error}") from error
    return held if kind is None else [each[kind] for each in held if kind in each]


def _steady(value: Any) -> Any:
    """The same for the same rules: without what changes by itself, the elements of a set in one order."""
    match value:
        case dict():
            return {
                key: sorted(map(_steady, each), key=json.dumps)
                if key in ("set", "elem") and isinstance(each, list)
                else _steady(each)
                for key, each in sorted(value.items())
                if key not in _VOLATILE
            }
        case list():
            return [_steady(each) for each in value]
    return value


async def _run(arguments: tuple[str, ...], text: str) -> str:
    program = shutil.which("nft", path=_PATH)
    if program is None:
        raise KernelUnavailable("the program nft is missing, which writes packet-filter rules: apt install nftables")
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"LC_ALL": "C"},
        )
    except OSError as error:
        raise KernelUnavailable(f"{program} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(text.encode())
    except TimeoutError as error:
        raise NftFailed(f"nft {' '.join(arguments)} did not end within {PATIENCE:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        lines = err.decode(errors="replace").splitlines()
        said = next((line for line in lines if "rror" in line), lines[0] if lines else "no word why")
        raise NftFailed(f"nft refuses: {said.strip()}")
    return out.decode(errors="replace")
