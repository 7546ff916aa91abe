"""Every exception haman raises on purpose.

    HamanError
    +-- ConfigError        the operator's file is wrong; carries every mistake found, each with its place
    +-- BadPacket          bytes from the network are not what they claim to be; carries an enum reason
    +-- BadFrame           the peer process on our own socketpair or control socket broke the framing
    +-- KernelRefused      the kernel said no to one operation; carries the operation and its errno
    +-- KernelUnavailable  a kernel facility is missing altogether (no IPVS, no such interface)
    +-- NodeUnknown        this machine is not a director of the given cluster
    +-- Refused            what the operator ordered is not done; the text says why, and how it would be
    +-- Unreachable        no haman answers on this machine's control socket
    +-- LabError           the laboratory itself broke: no kernel, no package, a host that did not start

Libraries' exceptions are translated at the border (`raise ... from exc`); none of these is used for control
flow inside the pure packages, where bad news is a value.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import Enum


class HamanError(Exception):
    """Root of the tree. `str()` is one or more complete lines fit for an operator."""


class ConfigError(HamanError):
    """All mistakes of one configuration file.

    mistakes: printable one-line texts, each starting with `file:line:column:`; never empty.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class BadPacket(HamanError):
    """A packet that may not be believed. `reason` is an enum member because it becomes a metric label."""

    def __init__(self, reason: Enum, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else str(reason.value))
        self.reason = reason
        self.detail = detail


class BadFrame(HamanError):
    """A message between our own processes could not be read; the connection is to be closed."""


class KernelRefused(HamanError):
    """One operation was refused. `what` names it in words, `errno` is the kernel's answer (positive)."""

    def __init__(self, what: str, errno: int) -> None:
        super().__init__(f"{what}: {os.strerror(errno)} (errno {errno})")
        self.what = what
        self.errno = errno


class KernelUnavailable(HamanError):
    """A facility of the kernel is missing; the text says which, and what installs it."""


class NodeUnknown(HamanError):
    """No director of the configuration is this machine; the text lists those that are known."""


class Refused(HamanError):
    """What the operator ordered is not done; the text says why, and how it would be."""


class Unreachable(HamanError):
    """No haman answers on this machine's control socket; the text says how to start one."""


class LabError(HamanError):
    """The laboratory broke, not the thing under test."""
