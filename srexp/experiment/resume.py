"""`train resume=RUN_ID`: an interrupted training goes on in the same run, and ends as if it had never stopped."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from srexp.config.builders import build
from srexp.config.identity import IDENTITY_TAG
from srexp.config.override_grammar import key_of
from srexp.config.sections.base import Config
from srexp.config.sections.verbs import TrainConfig
from srexp.errors import RequestError, SrexpError
from srexp.experiment import network
from srexp.experiment.batch_size import sized
from srexp.experiment.multiscale import WEIGHTS_TAG
from srexp.experiment.pipeline import COUNT_TAG, Earlier, Plan
from srexp.experiment.recorded_config import continued, kept_by
from srexp.experiment.task import Task
from srexp.system import process_identity
from srexp.system.files.file_locks import in_turn
from srexp.system.files.moved_files import here
from srexp.system.kernels import choice
from srexp.system.masking import pseudonyms
from srexp.system.profiling import Stopwatch
from srexp.tracking.journal.journal import PENDING
from srexp.tracking.journal.writer import SYNC
from srexp.tracking.names import CHECKPOINTS_TAG
from srexp.tracking.runs import environment, queries, resumed
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.locations import path_of
from srexp.tracking.store.store import Store
from srexp.training.checkpoint import Checkpoints

#: What may be said beside `resume`: where things are, and what costs time or memory but changes no number.
HARMLESS = (
    "resume", "extensions", "paths", "tracking", "checkpoint", "dataset.root", "dataset.cache", "dataset.url",
    "dataset.memory_mb", "trainer.workers", "trainer.decoded_cache", "trainer.profile",
)  # fmt: skip
#: Packages whose versions decide the last bits.
_DECISIVE = ("srexp", "keras", "numpy", "tensorflow", "tensorflow-cpu")


@contextmanager
def interrupted_training(
    config: TrainConfig, tracking: Tracking, watch: Stopwatch
) -> Iterator[tuple[Task, Tracking, Plan]]:
    """Find a training that was interrupted, and keep others from going on with it meanwhile.

    Args:
        config: With `resume`.
        tracking: Where the run is kept.
        watch: Times the stages.

    Yields:
        Its task, how it is tracked, and the plan to go on.

    Raises:
        RequestError: There is no such run, it can't go on, or what would change its numbers was asked for.
    """
    _require_harmless(config)
    if str(config.resume).startswith(PENDING):
        raise RequestError("the tracking store doesn't know this run yet", got=config.resume, fix=f"{SYNC} sends it")
    found = queries.get_run(tracking.store, str(config.resume))
    _require_same_key(found)
    folder = _require_interrupted(found, config.paths.root, tracking.store)
    kept = kept_by(tracking.store, found.run_id, config.paths.root)
    whole = continued(config, found, kept, folder.parents[1])
    choice.settle_as(found.tags.get(choice.KERNELS))
    team = network.joined(whole)  # all have looked at the run by now, and the chief may open it
    with _alone(folder, found.run_id) if team is None or team.leads else nullcontext():
        with watch("data"):
            task = sized(Task(whole))  # where a run logged nothing yet, its size is remembered by this machine
        _require_same_data(found, task)
        earlier = Earlier(
            run_id=found.run_id,
            folder=folder,
            logged=bool(kept),
            times=int(found.tags.get(COUNT_TAG, 0)) + 1,
            warnings=_differences(tracking, found),
        )
        going_on: Tracking = build(whole.tracking, folder=config.paths.root)
        yield task, going_on, Plan(tags={IDENTITY_TAG: found.tags[IDENTITY_TAG]}, earlier=earlier)


def offer(config: Config, run_id: str) -> str:
    """Say how to go on with a run that was interrupted."""
    if run_id.startswith(PENDING):
        return f"`{SYNC}` lets the tracking store know of this run; resume=RUN_ID goes on then"
    return f"{_command(config, run_id)} goes on with this run"


def resumable(tracking: Tracking, config: Config, same: str) -> str | None:
    """Say that an earlier run of the same command can go on.

    Args:
        tracking: Where it is looked for; a store that can't be read is none of this function's business.
        config: Of the run that begins.
        same: What decides its numbers, see `config.identity`.

    Returns:
        The sentence; None when there is no such run.
    """
    try:
        runs = resumed.interrupted(tracking.store, config.experiment_name, IDENTITY_TAG, same)
    except SrexpError:
        return None
    for run_id, tags in runs.items():
        folder = _folder_of(tags, config.paths.root) if CHECKPOINTS_TAG in tags else None
        if folder and not _original(folder, tracking.store) and (files := Checkpoints(folder).files()):
            step = int(files[-1].name.split("-")[1])
            return (
                f"this begins anew; the same was interrupted at step {step}, "
                f"and {_command(config, run_id)} goes on from there"
            )
    return None


def _command(config: Config, run_id: str) -> str:
    places = [typed for typed in config.overrides if typed.startswith(("paths.", "tracking."))]
    return shlex.join(["python", "-m", "srexp", f"resume={run_id}", *places])


def _require_same_key(found: queries.StoredRun) -> None:
    """Refuse to call one image by two pseudonyms in one run; older runs have none yet."""
    then, now = found.tags.get(pseudonyms.TAG), pseudonyms.fingerprint()
    if then not in (None, now):
        raise RequestError(
            f"run {found.run_id} calls its images by the pseudonyms of another key",
            got=f"the key {now}",
            expected=f"the key {then}, that of who began the run",
            fix=f"{pseudonyms.VARIABLE}= that key",
        )


def _require_harmless(config: TrainConfig) -> None:
    """Refuse what would end in other numbers than those of a run that never stopped."""
    for typed in config.overrides:
        key = key_of(typed)
        if key != "dataset" and not any(key == known or key.startswith(f"{known}.") for known in HARMLESS):
            raise RequestError(
                f"{key} can't be given beside resume: the run goes on with the configuration that it has",
                got=typed,
                expected=f"nothing but resume, or one of {', '.join(HARMLESS[1:])}",
                fix=f"leave {key} out, or train anew",
            )
    if config.sweep is not None:
        raise RequestError("resume goes on with one run, and this is a multirun", got=config.resume, fix="leave -m out")


def _folder_of(tags: Mapping[str, str], root: Path) -> Path:
    """Give the folder of checkpoints of a run, where it is now that the folder of runs, or the project, is here."""
    return here(Path(tags[CHECKPOINTS_TAG]), root, root.parent)


def _original(folder: Path, store: Store) -> Path | None:
    """Give the project that a folder belongs to, where this one is a copy that lacks the folder; None else."""
    database = path_of(store.uri)
    if database is None or not database.exists():
        return None
    others = (parent for parent in folder.parents if (parent / database.name).is_file())
    return next((other for other in others if not database.samefile(other / database.name)), None)


def _require_interrupted(found: queries.StoredRun, root: Path, store: Store) -> Path:
    """Give the folder of checkpoints of a run that can go on."""
    said = f"run {found.run_id} ({found.name})"
    if "srexp.search" in found.tags:
        raise RequestError(f"{said} belongs to a search", fix="repeat the command of the search: it goes on")
    if WEIGHTS_TAG in found.tags:
        first = found.tags[WEIGHTS_TAG]
        raise RequestError(f"{said} scores the network of run {first} at another scale", fix=f"resume={first}")
    finished = found.status == "FINISHED" and IDENTITY_TAG in found.tags
    if not finished and not {CHECKPOINTS_TAG, IDENTITY_TAG} <= found.tags.keys():
        raise RequestError(
            f"{said} is no training that can go on", expected="a training by this version or a later one"
        )
    if finished:
        raise RequestError(f"{said} finished; there is nothing to go on with", fix="train anew, or compare it")
    if found.status == "RUNNING":
        _require_gone(found, said)
    folder = _folder_of(found.tags, root)
    if not folder.parents[1].is_dir():
        raise RequestError(
            f"the folder of {said} is not here, and its checkpoints are in it",
            got=folder.parents[1],
            expected=f"the machine that it was trained on, {found.tags.get('srexp.host', 'another one')}, or its disk",
            fix="resume it there, or train anew",
        )
    if original := _original(folder, store):
        raise RequestError(
            f"the checkpoints of {said} are another project's, of which this one is a copy",
            got=folder,
            expected=f"them below {root}, at the same place as there",
            fix=f"resume it there, or copy {folder.relative_to(original)} to {root}",
        )
    return folder


def _require_gone(found: queries.StoredRun, said: str) -> None:
    gone, host = process_identity.process_is_gone(found.tags), found.tags.get("srexp.host", "another machine")
    if gone is None:
        raise RequestError(
            f"{said} is open, and whether its process still lives isn't known here",
            got=host,
            fix=f"resume it there, or close it with `python -m srexp runs reap=true reap_hosts=[{host}]` if it is gone",
        )
    if not gone:
        raise RequestError(f"{said} still runs", got=f"process {found.tags.get('srexp.pid')}", fix="wait for its end")


@contextmanager
def _alone(folder: Path, run_id: str) -> Iterator[None]:
    """Keep two processes from going on with the same run."""
    lock = folder.parents[1] / "resume.lock"
    busy = RequestError(f"another process goes on with run {run_id}", got=str(lock), fix="wait for its end")
    with in_turn(lock, 0, busy):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _require_same_data(found: queries.StoredRun, task: Task) -> None:
    then, today = found.tags[IDENTITY_TAG].rpartition("-")[2], task.prepared.fingerprint
    if then != today:
        raise RequestError(
            f"the data set is not the one that run {found.run_id} began with: its fingerprint differs",
            got=today,
            expected=then,
            fix=f"bring the images back, or say where: dataset={task.config.dataset.name} dataset.root=/data/xrays",
        )


def _differences(tracking: Tracking, found: queries.StoredRun) -> list[str]:
    """Say what of the code differs from when the run began: numbers may differ in their last bits, or more."""
    try:
        known = queries.read_json(tracking.store, found.run_id, "environment.json") or {}
    except queries.DamagedError as error:  # nothing but this warning rests on it
        return [f"whether the code is that which it began with isn't known: {error.what}"]
    versions = {name: version for name, version in known.get("packages", {}).items() if name in _DECISIVE}
    today = environment.code() | environment.packages() | {choice.KERNELS: choice.in_force()}
    then = {key: known[key] for key in environment.code() if key in known} | versions
    then |= {choice.KERNELS: found.tags[choice.KERNELS]} if choice.KERNELS in found.tags else {}
    told = [f"{key} {then[key]}, now {today.get(key)}" for key in then if then[key] != today.get(key)]
    return [f"resumed with other code than it began with: {'; '.join(told)}"] if told else []
