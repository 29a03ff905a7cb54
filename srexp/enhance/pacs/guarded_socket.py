"""A connection of DICOM's upper layer (PS3.8 9.3) that takes no more memory, disk and time than allowed.

pynetdicom reads as many bytes as a message says that it has, and waits for them.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

#: Most bytes of one protocol data unit; pynetdicom offers 16 KiB, and a request for an association has some 100.
LARGEST_UNIT = 2**20

_HEAD = struct.Struct(">BxL")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one connection may take.

    Args:
        message_bytes: Bytes between two images that are complete.
        message_seconds: Time from the first of them to the last.
        idle_seconds: Time without any.
    """

    message_bytes: int
    message_seconds: float
    idle_seconds: float


class GuardedSocket(socket.socket):
    """A socket of which an allowance bounds what comes in; beyond, reading it fails.

    Args:
        plain: The socket that it takes the place of.
        allowance: What it may take.
    """

    def __init__(self, plain: socket.socket, allowance: Allowance) -> None:
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self.settimeout(allowance.idle_seconds)
        self._allowance = allowance
        self._head, self._left = b"", 0
        self._taken, self._began = 0, 0.0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive as the plain socket does.

        Raises:
            OSError: The other side sends more than it may, or too slowly.
        """
        data = super().recv(size, flags)
        if not self._taken:
            self._began = time.monotonic()
        self._taken += len(data)
        if self._taken > self._allowance.message_bytes:
            raise OSError("a message is too long")
        if time.monotonic() - self._began > self._allowance.message_seconds:
            raise OSError("a message takes too long")
        self._look(data)
        return data

    def __del__(self) -> None:
        """Close it; pynetdicom leaves that undone where the other side breaks off."""
        self.close()

    def begin_message(self) -> None:
        """Allow a next message as much as the last one."""
        self._taken = 0

    def _look(self, data: bytes) -> None:
        """Follow the heads of units, which say how long they are."""
        while data:
            if self._left:
                skipped = min(self._left, len(data))
                self._left -= skipped
                data = data[skipped:]
                continue
            wanted = _HEAD.size - len(self._head)
            self._head, data = self._head + data[:wanted], data[wanted:]
            if len(self._head) == _HEAD.size:
                _, self._left = _HEAD.unpack(self._head)
                self._head = b""
                if self._left > LARGEST_UNIT:
                    raise OSError("a unit is too long")
