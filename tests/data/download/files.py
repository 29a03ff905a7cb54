"""Files that the tests download, and pauses that are over in a moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import urllib3

from srexp.data.download.http_range import Patience

BODY = bytes(range(256)) * 12_000  # 3 MB


OTHER = bytes(reversed(BODY))


HASTE = urllib3.Retry(None, backoff_factor=0.005, backoff_max=0.05, retry_after_max=10**9)


HASTY = Patience(retry=HASTE, longest_wait=5, connect_timeout=20, read_timeout=20)


SOON_BROKEN = replace(HASTY, read_timeout=1)


def leftovers(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir() if not path.name.endswith(".lock")} - {target.name}
