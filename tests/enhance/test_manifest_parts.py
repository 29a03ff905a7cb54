"""Parts of shards come into the list once, whoever writes it, and none is lost to a kill."""

from __future__ import annotations

import threading

import pytest

from srexp.enhance import manifest_parts
from srexp.enhance.output_manifest import NAME, OutputManifest, join_parts
from srexp.errors import RequestError
from srexp.system.files.digests import sha256

SHARDS = ["1-of-2", "2-of-2"]


def add(folder, source, shard=None, settings="s1"):
    (folder / f"{source}.png").write_bytes(f"made of {source}".encode())
    manifest = OutputManifest(folder, model="net", settings=settings, shard=shard)
    manifest.add(source, f"digest of {source}", {f"{source}.png": sha256(folder / f"{source}.png")})


def states(folder, *sources):
    known = OutputManifest(folder, model="net", settings="s1")
    return [known.state(source, f"digest of {source}", [f"{source}.png"]) for source in sources]


def test_the_list_is_that_of_one_process(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    for source in "abcd":
        add(one, source)
    for shard, sources in zip(SHARDS, ("bd", "ac"), strict=True):
        with manifest_parts.held(two, shard):
            for source in sources:
                add(two, source, shard)
        assert join_parts(two, "abcd") == []
    assert (two / NAME).read_bytes() == (one / NAME).read_bytes()
    assert list(two.glob(f"{manifest_parts.FOLDER}/*.csv")) == []


def test_a_part_is_not_taken_from_a_shard_that_is_at_work(tmp_path):
    with manifest_parts.held(tmp_path, SHARDS[0]):
        add(tmp_path, "a", SHARDS[0])
        assert join_parts(tmp_path, "a") == [SHARDS[0]]
        assert not (tmp_path / NAME).exists()
        with pytest.raises(RequestError, match="at work already"), manifest_parts.held(tmp_path, SHARDS[0]):
            pass
    assert join_parts(tmp_path, "a") == []
    assert states(tmp_path, "a") == ["finished"]


def test_a_shard_that_begins_while_another_one_joins_waits_for_that(tmp_path):
    """Joining holds the locks of all shards that aren't at work, which must not look like work on them."""
    begun = threading.Event()

    def begin():
        with manifest_parts.held(tmp_path, SHARDS[0]):
            begun.set()

    def put(_):
        beginning.start()
        assert not begun.wait(0.5)

    with manifest_parts.held(tmp_path, SHARDS[0]):
        add(tmp_path, "a", SHARDS[0])
    beginning = threading.Thread(target=begin)
    assert manifest_parts.join(tmp_path, put) == []
    beginning.join()
    assert begun.is_set()


def test_what_a_killed_shard_left_comes_into_the_list(tmp_path):
    add(tmp_path, "a")
    with manifest_parts.held(tmp_path, SHARDS[1]):
        add(tmp_path, "b", SHARDS[1])
        part = manifest_parts.part_of(tmp_path, SHARDS[1])
        with part.open("a") as file:
            file.write("c,digest of c,c.p")  # a kill within a row
    join_parts(tmp_path, "abc")
    (tmp_path / "c.png").write_bytes(b"mine")
    assert states(tmp_path, "a", "b", "c") == ["finished", "finished", "foreign"]


def test_a_newer_row_of_a_part_counts(tmp_path):
    add(tmp_path, "a", settings="s0")
    with manifest_parts.held(tmp_path, SHARDS[0]):
        add(tmp_path, "a", SHARDS[0])
    join_parts(tmp_path, "a")
    assert states(tmp_path, "a") == ["finished"]


def test_the_last_one_to_end_is_told_of_all(tmp_path):
    def end(shard, settings="s1", inputs="i1"):
        with manifest_parts.held(tmp_path, shard):
            pass
        said = {"settings": settings, "inputs": inputs, "failed": {shard: "x"}}
        return manifest_parts.ended(tmp_path, shard, said, SHARDS)

    assert end(SHARDS[0]) is None
    assert [each["failed"] for each in end(SHARDS[1])] == [{SHARDS[0]: "x"}, {SHARDS[1]: "x"}]
    with manifest_parts.held(tmp_path, SHARDS[0]):  # at work again: the other one isn't the last
        assert end(SHARDS[1]) is None
    assert end(SHARDS[0], settings="s2") is None
    assert end(SHARDS[0], inputs="i2") is None  # the other one has not seen what came since
    assert end(SHARDS[1], inputs="i2")


@pytest.mark.parametrize("content", ["", '{"settings": "s', "[]", "{}"])
def test_a_shard_whose_note_is_damaged_ends_once_more(tmp_path, content):
    said = {"settings": "s1", "inputs": "i1", "failed": {}}
    (tmp_path / manifest_parts.FOLDER).mkdir()
    assert manifest_parts.ended(tmp_path, SHARDS[0], said, SHARDS) is None
    (tmp_path / manifest_parts.FOLDER / f"{SHARDS[0]}.json").write_text(content)
    assert manifest_parts.ended(tmp_path, SHARDS[1], said, SHARDS) is None
    assert manifest_parts.ended(tmp_path, SHARDS[0], said, SHARDS) == [said, said]


def test_a_link_of_that_name_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / manifest_parts.FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RequestError, match="a link in output"), manifest_parts.held(tmp_path / "out", SHARDS[0]):
        pass
    with pytest.raises(RequestError, match="a link in output"):
        join_parts(tmp_path / "out", "a")
