"""Start-up of `--help` and `check` beside importing Hydra alone: medians, taken in turn on a noisy machine.

python tests/benchmarks/bench_startup.py
python tests/benchmarks/bench_startup.py --against ../other-checkout --repeats 20
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
COMMANDS = {
    "import hydra": ["-c", "import hydra"],
    "--help": ["-m", "srexp", "--help"],
    "check": ["-m", "srexp", "check"],
}


def seconds(arguments: list[str], checkout: Path, root: str) -> tuple[float, float]:
    """Time one command of a checkout: from start to end, and on the processor, which other processes disturb less."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "SREXP_ROOT": root}
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=checkout, env=environment)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main() -> None:
    """Print the median of each command, and what it takes beyond Hydra's import."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", type=Path, help="another checkout, measured in the same run")
    parser.add_argument("--repeats", type=int, default=10)
    asked = parser.parse_args()
    checkouts = [CHECKOUT, *([asked.against.resolve()] if asked.against else [])]
    taken: dict[tuple[Path, str], list[tuple[float, float]]] = {
        (each, name): [] for each in checkouts for name in COMMANDS
    }
    with tempfile.TemporaryDirectory() as root:
        for _ in range(asked.repeats):
            for (checkout, name), samples in taken.items():
                samples.append(seconds(COMMANDS[name], checkout, root))
    for checkout in checkouts:
        print(checkout)
        base = statistics.median(wall for wall, _ in taken[checkout, "import hydra"])
        for name in COMMANDS:
            wall, processor = (statistics.median(column) for column in zip(*taken[checkout, name], strict=True))
            print(f"  {name:14} {wall:.2f} s  (+{wall - base:.2f} s)  processor {processor:.2f} s")


if __name__ == "__main__":
    main()
