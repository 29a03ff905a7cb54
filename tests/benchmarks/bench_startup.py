"""Start-up of `--help` and `check` beside importing Hydra alone: medians of ten, taken in turn on a noisy machine.

python tests/benchmarks/bench_startup.py
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import hydra": ["-c", "import hydra"],
    "--help": ["-m", "srexp", "--help"],
    "check": ["-m", "srexp", "check"],
}


def main() -> None:
    """Print the median of each command and what it takes beyond Hydra's import."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(10):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["import hydra"])
    for name, samples in seconds.items():
        median = statistics.median(samples)
        print(f"{name:14} {median:.2f} s  (+{median - base:.2f} s)")


if __name__ == "__main__":
    main()
