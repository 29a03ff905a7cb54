"""Plant small faults where a silent one hurts most, one at a time, and count those that the nearest tests find.

    python -m tests.mutants [--mutants 40] [--seed 1] [--only gate metrics/psnr]

A mutant is a file with one fault of mutmut's. It runs in a fork of a process that has the libraries loaded, before any
test is collected: of the file's doctests and its own tests those that reach the fault, the fastest first, until one
fails or too much processor time is gone. Survivors are printed as `equivalent.txt` takes those that no test can tell
from the original, each with its reason. Ends with 1 if fewer than 95 % were found.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import given, strategies

from tests.late_imports import IMPORTED
from tests.mutants.mutation import Mutant, mutants
from tests.test_mirror import COVERS, own_test

ROOT = Path(__file__).parents[2]
PARTS = {
    "metrics": "metrics/[a-z]*",
    "split": "data/preparation/split",
    "audit": "data/audit/[a-z]*",
    "gate": "evaluation/promotion_gate",
    "statistics": "evaluation/statistics",
    "training": "training/[a-z]* training/courses/[a-z]*",
    "geometry": "data/dicom/geometry data/dicom/derived data/dicom/attributes data/dicom/elements",
    "writers": "data/formats/dicom_writer data/dicom/description data/dicom/stored_values "
    "data/formats/*_writer data/formats/writers data/formats/fitting",
    "interpolation": "data/degradation/imresize models/interpolation",
    "tiling": "enhance/tiling enhance/receptive_field",
    "search": "search/[a-z]* search/*/[a-z]*",
    "registry": "tracking/registry/[a-z]*",
    "journal": "tracking/journal/[a-z]*",
    "unpack": "data/download/archive",
    "targets": "config/allowed_targets",
    "masking": "system/masking/[a-z]*",
}
WANTED = 0.95
CLOCK = 1800  # seconds, far beyond any run on a busy machine: what only waits; processor time limits the rest
LONGEST = 20.0  # seconds of processor time; a test that takes longer, or fails without a fault, is left out
_LIBRARIES = ("mlflow.store.tracking.sqlalchemy_store", "nibabel", "pydicom.data", "tifffile")


class _InFork(BaseException):
    """This process is to run tests, and no longer to count."""


class Trials:
    """A plugin of pytest: in place of collecting, a fork for every mutant, which goes on to collect and run."""

    def __init__(self, scratch: Path, options: argparse.Namespace) -> None:
        self.forked = False
        self.found: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()
        self.unknown = equivalent()
        self._options = options
        self._seconds: dict[str, float] = {}
        self._reached: dict[str, dict[str, list[str]]] = {}
        self._near: set[str] = set()
        self._coverage: Coverage | None = None
        self._learnt = scratch / "seconds.json"
        self._said, self._shadow = scratch / "said.txt", scratch / "shadow"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool | None:
        for name in (*IMPORTED, *_LIBRARIES):
            importlib.import_module(name)
        given(strategies.integers())(lambda _: None)()  # reads what is loaded for constants
        gc.freeze()
        try:
            for part in self._options.only or PARTS:
                globbed = (sorted((ROOT / "srexp").glob(f"{each}.py")) for each in PARTS.get(part, part).split())
                paths = [path.relative_to(ROOT) for files in globbed for path in files]
                if not paths:
                    sys.exit(f"{part} is none of the parts {', '.join(PARTS)}, and no file such as metrics/psnr")
                self._learn(session, part, paths)
                for path in paths:
                    self._try_file(session, part, path)
        except _InFork:
            self.forked = True
            return None
        return True

    def _learn(self, session: pytest.Session, part: str, paths: list[Path]) -> None:
        """Run a part's tests without a fault: how long each takes, and which lines it reaches."""
        tests = dict.fromkeys(str(test) for path in paths for test in _tests(path))
        self._seconds = {}
        self._coverage = Coverage(data_file=None, include=[str(ROOT / path) for path in paths], config_file=False)
        self._learnt.unlink(missing_ok=True)
        self._fails(session, tests, lambda: self._count(session, paths), limit=3600)
        if not self._learnt.exists():
            sys.exit(f"{part}: its tests don't end without a fault\n{self._said.read_text()}")
        self._coverage = None
        self._seconds, self._reached = json.loads(self._learnt.read_text())

    def _try_file(self, session: pytest.Session, part: str, path: Path) -> None:
        if _module(path) in sys.modules:
            sys.exit(f"{path} is loaded before a fault is planted in it")
        made = {str(mutant): mutant for mutant in mutants(ROOT, path)}
        self.unknown -= made.keys()
        left = sorted(
            made.keys() - equivalent(), key=lambda each: sha256(f"{self._options.seed} {each}".encode()).digest()
        )
        drawn = left[: self._options.mutants or None]
        for mutant in sorted((made[each] for each in drawn), key=lambda each: min(each.lines)):
            found = self._is_found(session, mutant)
            (self.found if found else self.survived)[part] += 1
            if not found:
                print(f"{mutant}\n  SURVIVED at line {min(mutant.lines)}\n", flush=True)
            elif "Timeout (>" in self._said.read_text(errors="replace"):
                print(
                    f"{mutant}\n  found at line {min(mutant.lines)} by a test that was stopped by the clock\n",
                    flush=True,
                )
        print(f"{path}: {len(drawn)} of {len(left)} tried", flush=True)

    def _is_found(self, session: pytest.Session, mutant: Mutant) -> bool:
        """Run the tests that reach a mutant's lines, or all where an import does, which belongs to no test."""
        lines = self._reached.get(str(mutant.path), {})
        reaching = {test for line in mutant.lines for test in lines.get(str(line), ())}
        known = set(self._seconds)
        self._near = (known if "" in reaching else reaching & known) or known
        limit = 20 + 10 * int(sum(self._seconds[test] for test in self._near))
        files = {test.partition("::")[0] for test in self._near}
        return bool(files) and self._fails(session, files, lambda: _plant(mutant, self._shadow), limit)

    def _fails(self, session: pytest.Session, tests: Iterable[str], prepare: Callable[[], object], limit: int) -> bool:
        """Fork, and say whether a test of some files fails, or takes more seconds of processor time than it may."""
        sys.stdout.flush()
        number = os.fork()
        if not number:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
            for stream in (1, 2):
                os.dup2(os.open(self._said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
            prepare()
            session.config.args = [str(ROOT / test) for test in tests]
            raise _InFork
        ends = os.pidfd_open(number)
        if not select.select([ends], [], [], CLOCK)[0]:
            print("  stopped by the clock:", flush=True)
        os.close(ends)
        os.killpg(number, signal.SIGKILL)  # with what a test may have left behind
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)

    # In the forks

    def _count(self, session: pytest.Session, paths: list[Path]) -> None:
        """Run all tests, and count from the imports on, which belong to no test."""
        session.config.option.maxfail = 0
        self._coverage.start()
        for path in paths:
            importlib.import_module(_module(path))

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> object:
        """Of the tests that may find a mutant, the fastest first."""
        result = yield
        if not self._coverage:
            near = [item for item in items if item.nodeid in self._near]
            items[:] = sorted(near, key=lambda item: self._seconds[item.nodeid])
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> object:
        if self._coverage:
            self._coverage.switch_context(item.nodeid)
        begun, failed = time.process_time(), item.session.testsfailed
        result = yield
        seconds = time.process_time() - begun
        if self._coverage and seconds < LONGEST and item.session.testsfailed == failed:
            self._seconds[item.nodeid] = seconds
        return result

    def pytest_sessionfinish(self) -> None:
        if self._coverage:
            self._coverage.stop()
            data = self._coverage.get_data()
            reached = {
                str(Path(file).relative_to(ROOT)): data.contexts_by_lineno(file) for file in data.measured_files()
            }
            self._learnt.write_text(json.dumps([self._seconds, reached]))


def _plant(mutant: Mutant, shadow: Path) -> None:
    """Let the import system find the mutant in place of its file; end here where it can't even be imported.

    Processes that srexp starts with this one's path find it in a folder of links.
    """
    shutil.rmtree(shadow, ignore_errors=True)
    shutil.copytree(ROOT / "srexp", shadow / "srexp", copy_function=os.symlink)
    (shadow / mutant.path).unlink()
    (shadow / mutant.path).write_text(mutant.source, encoding="utf-8")
    written = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, name: str) -> object:
        if Path(loader.path) == ROOT / mutant.path:
            return compile(mutant.source, loader.path, "exec", dont_inherit=True)
        return written(loader, name)

    SourceFileLoader.get_code = get_code
    with suppress(Exception):
        importlib.import_module(_module(mutant.path))
        sys.path.insert(0, str(shadow))
        return
    os._exit(1)


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _tests(path: Path) -> list[Path]:
    """A file with its doctests, the test that is named after it, and those that are said to cover it."""
    module = _module(path)
    named = [ROOT / "tests" / test for test, files in COVERS.items() if module.removeprefix("srexp.") in files.split()]
    return [path, *(test.relative_to(ROOT) for test in (own_test(module), *named) if test.is_file())]


def equivalent() -> set[str]:
    """Mutants that no test can tell from the original, as `equivalent.txt` lists them."""
    listed = Path(__file__).with_name("equivalent.txt").read_text(encoding="utf-8")
    return {"\n".join(entry.splitlines()[:3]) for entry in listed.split("\n\n") if not entry.startswith("#")}


def main() -> int:
    """Plant, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=40, help="of each file, drawn by the seed; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or a file, as metrics/psnr")
    asked = parser.parse_args()
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # Arrow's thread would be missing in a fork
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        trials = Trials(Path(scratch), asked)
        options = ["-s", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=120"]
        chosen = ["-m", "not system", "-W", "ignore:Module already imported"]
        code = pytest.main([*options, *chosen, f"--basetemp={scratch}/tests", str(ROOT / "tests")], plugins=[trials])
        if trials.forked:
            os._exit(code)
    for part in trials.found | trials.survived:
        print(f"{part:14} {trials.found[part]:5} of {trials.found[part] + trials.survived[part]:5} found")
    found, survived = trials.found.total(), trials.survived.total()
    print(f"{'all':14} {found:5} of {found + survived:5} found, {found / max(found + survived, 1):.1%}")
    if not asked.only and trials.unknown:
        print("\nequivalent.txt lists what is no mutant any more:\n", *sorted(trials.unknown), sep="\n")
    return 0 if found >= WANTED * (found + survived) else 1


if __name__ == "__main__":
    sys.exit(main())
