"""Shards: parts of an input that several processes share out among each other, in the words of the command line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from srexp.config.override_grammar import key_of

#: How a shard is written; its number is at most its count as well.
PATTERN = r"[1-9]\d{0,4}/[1-9]\d{0,4}"
EXPECTED = "NUMBER/COUNT with a NUMBER from 1 to COUNT, such as 2/8"

_WRITTEN = re.compile(PATTERN, re.ASCII)
_ALL = re.compile(r"(?P<key>[^=]+)=all/(?P<count>[1-9]\d{0,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of an input.

    An image belongs to a shard by a digest of its name alone. So each process finds out by itself what is its own, all
    shards together are everything, none overlaps another, and no image moves to another shard when others come.

    Args:
        number: Which, from 1.
        count: How many there are.
    """

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a shard as it is typed.

        Args:
            text: See `EXPECTED`.

        Raises:
            ValueError: It is written otherwise, or there is no such shard.

        Example:
            >>> [name for name in ("a.png", "b.png", "c.png", "d.png") if name in Shard.read("1/2")]
            ['a.png', 'b.png', 'd.png']
        """
        if not _WRITTEN.fullmatch(text):
            raise ValueError(text)
        shard = cls(*map(int, text.split("/")))
        if shard.number > shard.count:
            raise ValueError(text)
        return shard

    def __contains__(self, name: object) -> bool:
        """Whether an image of this name, relative to its input, belongs to the shard."""
        digest = hashlib.sha256(str(name).encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        """Give it as it is typed."""
        return f"{self.number}/{self.count}"

    @property
    def all(self) -> list[Self]:
        """All shards of the same input, in order."""
        return [type(self)(number, self.count) for number in range(1, self.count + 1)]

    @property
    def file_name(self) -> str:
        """Give it as a part of a file's name."""
        return f"{self.number}-of-{self.count}"


def all_shards(overrides: Sequence[str]) -> list[str]:
    """Write out `shard=all/COUNT` of a multirun, whose jobs are the shards.

    Example:
        >>> all_shards(["shard=all/3", "seed=1"])
        ['shard=1/3,2/3,3/3', 'seed=1']
    """
    return [_written_out(each) for each in overrides]


def _written_out(override: str) -> str:
    if key_of(override) != "shard" or not (found := _ALL.fullmatch(override)):
        return override
    return f"{found['key']}={','.join(map(str, Shard(1, int(found['count'])).all))}"
