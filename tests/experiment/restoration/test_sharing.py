"""What a shard of an input does and what the last one does; whole commands are in tests/commands/test_enhance.py."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from srexp.enhance import manifest_parts
from srexp.errors import RequestError
from srexp.experiment.restoration.jobs import Job, Outcome
from srexp.experiment.restoration.sharing import Sharing

NAMES = [f"{number}.png" for number in range(20)]


def sharing(tmp_path, shard, failed=()):
    config = SimpleNamespace(output=tmp_path / "out", shard=shard, check=False, spread=False)
    jobs = [Job(name, tmp_path / name, "png", (0,), name, "png") for name in NAMES]
    return Sharing(config, jobs, Outcome(failed=dict.fromkeys(failed, "no image")))


def test_shards_share_out_files_and_failures(tmp_path):
    bad = [f"{number}.txt" for number in range(20)]
    shares = [sharing(tmp_path, f"{number}/3", bad) for number in (1, 2, 3)]
    assert sorted(job.name for each in shares for job in each.jobs) == sorted(NAMES)
    assert sorted(name for each in shares for name in each.outcome.failed) == sorted(bad)
    assert all(len(each.jobs) not in (0, len(NAMES)) for each in shares)
    assert [len(each.all_jobs) for each in shares] == [len(NAMES)] * 3


def test_without_a_shard_everything_is_its_own(tmp_path):
    alone = sharing(tmp_path, None, ["bad"])
    assert ([job.name for job in alone.jobs], alone.part, list(alone.outcome.failed)) == (NAMES, None, ["bad"])
    with alone.at_work():
        pass
    assert alone.end(SimpleNamespace(settings="s")) is alone.outcome
    assert not (tmp_path / "out" / manifest_parts.FOLDER).exists()


def test_the_last_one_to_end_knows_of_all_failures(tmp_path):
    bad = [f"{number}.txt" for number in range(20)]
    ends = []
    for number in (2, 1):
        share = sharing(tmp_path, f"{number}/2", bad)
        with share.at_work():
            pass
        ends.append(share.end(SimpleNamespace(settings="s", model="net")))
    assert ends[0] is None
    assert sorted(ends[1].failed) == sorted(bad)
    assert ends[1].skipped == NAMES


def test_another_way_to_share_out_waits(tmp_path):
    with sharing(tmp_path, "1/2").at_work():
        sharing(tmp_path, "2/2").join()
        for other in ("1/3", None):
            with pytest.raises(RequestError, match="shards of these images are at work"):
                sharing(tmp_path, other).join()
    sharing(tmp_path, None).join()
