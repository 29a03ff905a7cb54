"""Where the time of a command goes, by time on the processors, which other work on the machine disturbs little.

    python tests/benchmarks/profile_command.py model=srcnn trainer.epochs=1 trainer.steps_per_epoch=2
    python tests/benchmarks/profile_command.py evaluate model_uri=zoo/hybrid-cxr-x2

Takes a command line of srexp. Prints its imports as a whole, then srexp's own functions with all that they call, the
dearest first. The profiler itself makes many small calls up to ten times as dear as they are, and few large ones not.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from pathlib import Path

from srexp import cli

SHOWN = 50
PACKAGE = str(Path(cli.__file__).parent)


def main() -> int:
    """Run the command, print, and end as it does."""
    profiler = cProfile.Profile(timer=time.process_time)
    code = profiler.runcall(cli.main)
    calls = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    rows = [(spent, count, *where) for where, (_, count, _, spent, _) in calls.items()]
    imports = max(spent for spent, _, file, _, name in rows if "importlib" in file and name == "_find_and_load")
    print(f"\n{max(rows)[0]:8.2f} s in all\n{imports:8.2f} s of them in imports\n")
    own = sorted((row for row in rows if row[2].startswith(PACKAGE)), reverse=True)
    for spent, count, file, line, name in own[:SHOWN]:
        print(f"{spent:8.2f} s {count:6} x {Path(file).relative_to(PACKAGE)}:{line} {name}")
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
