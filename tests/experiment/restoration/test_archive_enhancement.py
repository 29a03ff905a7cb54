"""A study at hand: what is fetched, left out, sent, kept and removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from pydicom.uid import EncapsulatedPDFStorage

from srexp.config.compose import compose
from srexp.config.sections.verbs import EnhanceConfig
from srexp.data.dicom.derived import instance_uid, series_uid
from srexp.data.formats.registry import identity_of
from srexp.enhance.pacs.dicomweb import Instance
from srexp.enhance.pacs.sending import AwayError, RefusedError
from srexp.errors import RequestError, SrexpError
from srexp.experiment.restoration import archive_enhancement
from srexp.experiment.restoration.archive_enhancement import at_hand
from srexp.experiment.restoration.jobs import find_jobs
from tests.archives import scan

STUDY = "1.2.826.0.1.3680043.8.498.1"
INPUT = f"input=dicomweb://pacs.example/rs/studies/{STUDY}"


class Archive:
    """An archive without a network."""

    has: dict[Instance, Path]
    got: list[str]
    failure: Exception | None
    fetched: int

    def __init__(self, *_: object) -> None:
        pass

    def instances(self, study: str, series: str | None = None) -> list[Instance]:
        return sorted(each for each in self.has if each.study == study and series in (None, each.series))

    def fetch(self, instance: Instance, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.has[instance], target)
        type(self).fetched += 1

    def store(self, path: Path) -> None:
        if self.failure:
            raise self.failure
        self.got.append(path.name)


@pytest.fixture(autouse=True)
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Archive]:
    monkeypatch.setattr(archive_enhancement, "Archive", Archive)
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    (tmp_path / "project").mkdir()
    Archive.has, Archive.got, Archive.failure, Archive.fetched = {}, [], None, 0
    for number in (1, 2):
        path = scan(tmp_path / f"{number}.dcm", number)
        Archive.has[Instance(STUDY, f"{STUDY}.2", f"{STUDY}.2.{number}", "1.2.840.10008.5.1.4.1.1.1")] = path
    return Archive


def typed(*words: str) -> EnhanceConfig:
    config, _ = compose("enhance", ["model_uri=bicubic", *words])
    assert isinstance(config, EnhanceConfig)
    return config


def put(archive: type[Archive], path: Path, kind: str = "1.2.840.10008.5.1.4.1.1.1") -> None:
    study, series, instance, _ = identity_of(path)
    archive.has[Instance(study, series, instance, kind)] = path


def test_a_study_is_fetched_under_names_that_say_nothing_and_removed(archive: type[Archive], tmp_path: Path) -> None:
    config = typed(INPUT, f"output={tmp_path / 'out'}")
    with at_hand(config) as here:
        jobs, _ = find_jobs(here.config)
        assert len(jobs) == 2
        folder = Path(here.config.input)
        assert folder.parent.stat().st_mode & 0o077 == 0
        assert not [path for path in folder.rglob("*") if STUDY in str(path)]
        assert here.config.output == tmp_path / "out"
        assert here.left_to_do(jobs, outcome_of(here.config), "model") == jobs
    assert not folder.parent.exists()


def outcome_of(config: EnhanceConfig):
    return find_jobs(config)[1]


def test_what_srexp_made_and_what_is_no_image_stays_where_it_is(
    archive: type[Archive], tmp_path: Path, identity
) -> None:
    from srexp.data.restored_image import Origin

    made = tmp_path / "made.dcm"
    identity.restore_file(Origin(tmp_path / "1.dcm", "dicom", (0,), "bits"), "dicom", made)
    put(archive, made)
    archive.has[Instance(STUDY, f"{STUDY}.9", f"{STUDY}.9.1", EncapsulatedPDFStorage)] = tmp_path / "nowhere.pdf"
    with at_hand(typed(INPUT, f"output={tmp_path / 'out'}")) as here:
        assert len(find_jobs(here.config)[0]) == 2
    with at_hand(typed(f"{INPUT}/series/{identity_of(made).series}", f"output={tmp_path / 'out'}")) as here:
        assert len(find_jobs(here.config)[0]) == 1  # it is named, so it is wanted


def test_what_the_archive_has_is_left_out(archive: type[Archive], tmp_path: Path) -> None:
    there = Instance(STUDY, series_uid(f"{STUDY}.2", "model"), instance_uid(f"{STUDY}.2.1", "model"))
    archive.has[there] = tmp_path / "1.dcm"
    words = [f"input={tmp_path / '*.dcm'}", "output=dicomweb://pacs.example/rs"]
    with at_hand(typed(*words)) as here:
        jobs, outcome = find_jobs(here.config)
        assert [job.name for job in here.left_to_do(jobs, outcome, "model")] == ["2.dcm"]
        assert outcome.skipped == ["1.dcm"]
        assert len(here.left_to_do(jobs, outcome, "another model")) == 2
    with at_hand(typed(*words, "overwrite=true")) as here:
        assert len(here.left_to_do(*find_jobs(here.config), "model")) == 2


def test_what_cannot_be_sent_is_kept_for_the_same_command(archive: type[Archive], tmp_path: Path) -> None:
    config = typed(INPUT, "output=dicomweb://pacs.example/rs")
    archive.failure = AwayError("it can't be reached")

    def enhance() -> None:
        with at_hand(config) as here:
            here.send(*make(here.config))

    with pytest.raises(SrexpError, match=r"can't be reached(.|\n)*the same command again"):
        enhance()
    assert archive.fetched == 2
    archive.failure = None
    with at_hand(config) as here:
        jobs, outcome = find_jobs(here.config)
        assert all((Path(here.config.output, job.target)).exists() for job in jobs)  # made before
        here.send(jobs, outcome)
    assert (archive.fetched, len(archive.got)) == (2, 2)
    assert not list((tmp_path / "project" / "mlruns" / "pacs").iterdir())


def make(config: EnhanceConfig):
    jobs, outcome = find_jobs(config)
    for job in jobs:
        (Path(config.output, job.target)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(job.path, Path(config.output, job.target))
        outcome.restored.append(job.name)
    return jobs, outcome


def test_what_the_archive_refuses_has_failed(archive: type[Archive]) -> None:
    archive.failure = RefusedError("not this one")
    with at_hand(typed(INPUT, "output=dicomweb://pacs.example/rs")) as here:
        jobs, outcome = make(here.config)
        here.send(jobs, outcome)
    assert (outcome.restored, set(outcome.failed.values()), len(outcome.failed)) == ([], {"not this one"}, 2)


def test_the_same_command_is_at_work_once() -> None:
    config = typed(INPUT, "output=dicomweb://pacs.example/rs")
    with at_hand(config), pytest.raises(RequestError, match="the same command is at work"), at_hand(config):
        pass


def test_folders_stay_as_they_are(tmp_path: Path) -> None:
    config = typed(f"input={tmp_path}", f"output={tmp_path / 'out'}")
    with at_hand(config) as here:
        assert here.config is config
        assert here.left_to_do([], outcome_of(config), "model") == []
        here.send([], outcome_of(config))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([INPUT.replace(STUDY, "1.2.9"), "output=dicomweb://h"], "no such study"),
        (["input=dicomweb://h/rs", "output=o"], "input is no address of a study"),
        (["input=https://h/rs/studies/1.2", "output=o"], "input is no address of a study"),
        (["input=.", "output=dicomweb://h/studies/1.2"], "output is no address of an archive"),
        (["input=.", "output=dicomweb://h", "format=png"], "an archive takes DICOM alone"),
        (["input=.", "output=dicomweb://h", "compare=true"], "compare=true writes pictures"),
        (["input=.", "output=dicomweb://h", "shard=1/2"], "shard divides folders"),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said), at_hand(typed(*words)):
        pass


def test_what_becomes_no_dicom_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    with at_hand(typed(f"input={tmp_path / 'a.png'}", "output=dicomweb://h")) as here:
        jobs, outcome = find_jobs(here.config)
        with pytest.raises(RequestError, match="an archive takes DICOM alone"):
            here.left_to_do(jobs, outcome, "model")


def test_nobody_takes_a_lock_that_is_about_to_be_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who had it would be at work beside whoever makes a new one."""
    removed, unlink = [], Path.unlink

    def watched(path: Path, **options: bool) -> None:
        if path.suffix == ".lock":
            with pytest.raises(Timeout):
                FileLock(path, is_singleton=False).acquire(timeout=0)
            removed.append(path)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", watched)
    with at_hand(typed(INPUT, f"output={tmp_path / 'out'}")) as here:
        assert Path(here.config.input).is_dir()
    [lock] = removed
    assert not lock.exists()
