"""How much srexp takes beside what a user would do without it, as ratios: `make bench`.

    python -m tests.benchmarks.ratios                                # all parts
    python -m tests.benchmarks.ratios --only train start --rounds 5  # parts whose names begin so
    python -m tests.benchmarks.ratios --write                        # puts what was measured into the committed table

srexp and its peer take turns; a ratio is the median over the pairs. It is of the time on the processors, that of child
processes included, which other work on the machine disturbs less than the time on the clock; that is printed, too. A
part whose ratio is 15 % above the one in docs/results/ratios.csv is marked LOST. That informs: the exit code is 0, and
on another processor other ratios are to be expected.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from . import table
from .parts import Bench, parts


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART", help="parts whose names begin so")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of each part; of the dearest ones half as many")
    parser.add_argument("--write", action="store_true", help=f"write {table.COMMITTED.name}")
    parser.add_argument("--list", action="store_true", help="say what there is, and measure nothing")
    asked = parser.parse_args()
    wanted = [part for part in parts() if part[0].startswith(tuple(asked.only))]
    if asked.list or not wanted:
        print(*(f"{name:32} over {peer}" for name, peer, _ in (wanted or parts())), sep="\n")
        return
    about = table.conditions(shlex.join(["python", "-m", "tests.benchmarks.ratios", *sys.argv[1:]]))
    earlier, committed = table.read()
    print(f"now:   {about}", *(f"table: {line}" for line in earlier), sep="\n", flush=True)
    found: list[table.Row] = []
    for name, peer, measure in wanted:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            found.append(table.row(name, peer, measure(Bench(Path(scratch), asked.rounds))))
        print(table.told(found[-1], committed.get(name)), flush=True)
        if asked.write:
            table.write(found, about)


if __name__ == "__main__":
    main()
