"""Scratch folders in an output folder, where files become whole; what killed processes left goes with the next one."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srexp.system.process_identity import facts_of, is_gone
from srexp.system.signals import interruptible

#: The name says whose it is: a note within would be missing at first.
_NAME = re.compile(
    r"\.srexp-scratch-[0-9a-f]{8}-(?P<pid>\d+)-(?P<process_start>[\d.]+)-(?P<process_since_boot>-?[\d.]+)-(?P<host>.+)"
)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Make a hidden folder within another, and remove those that processes of this machine left when they were killed.

    Args:
        folder: Where; it is there already.

    Yields:
        The new folder, empty. It goes with all that is in it when the block ends, also by SIGTERM.

    Raises:
        OSError: It can't be made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as output:
        ...     with scratch_folder(Path(output)) as made:
        ...         _ = Path(made, "half.png").write_bytes(b"not whole yet")
        ...     list(Path(output).iterdir())
        []
    """
    for each in folder.iterdir():
        if (named := _NAME.fullmatch(each.name)) and is_gone(named.groupdict()):
            shutil.rmtree(each, ignore_errors=True)  # or another process does
    facts = facts_of()
    own = "{pid}-{process_start}-{process_since_boot}-{host}".format_map(facts)
    made = folder / f".srexp-scratch-{secrets.token_hex(4)}-{own}"
    with interruptible() as shield:
        try:
            made.mkdir(mode=0o700)
            yield made
        finally:
            shield.closing = True
            shutil.rmtree(made, ignore_errors=True)
