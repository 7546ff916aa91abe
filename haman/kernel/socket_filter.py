"""Classic BPF on a socket (socket(7), SO_ATTACH_FILTER; Documentation/networking/filter.rst): what a program cannot use
is dropped before it has to be read."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LOAD_BYTE, LOAD_HALF, IF_EQUAL, RETURN = 0x30, 0x28, 0x15, 0x06
PACKET_TYPE = 0xFFFFF000 + 4
"""Where a packet socket's filter finds for whom a frame is: PACKET_HOST (0) for this machine."""

ALL, NOTHING = 0xFFFFFFFF, 0
"""What RETURN keeps."""

_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, if false, operand
_SO_ATTACH_FILTER = 26

Instruction = tuple[int, int, int, int]


def all_of(*conditions: tuple[int, int, int]) -> list[Instruction]:
    """Keeps what has the wanted value at every place: (how it is loaded, where, value) for each."""
    program: list[Instruction] = []
    for number, (load, at, value) in enumerate(conditions, 1):
        program += [(load, 0, 0, at), (IF_EQUAL, 0, 2 * (len(conditions) - number) + 1, value)]
    return [*program, (RETURN, 0, 0, ALL), (RETURN, 0, 0, NOTHING)]


def attach(opened: socket.socket, program: Sequence[Instruction]) -> None:
    """Raises OSError."""
    code = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*each) for each in program))
    # struct sock_fprog: how many, and where; the pointer is aligned.
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(code)))
