"""What was finished is known again, and nothing else is taken for it."""

import pytest

from srexp.enhance.output_manifest import NAME, Ledger, sha256


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "a.png").write_bytes(b"made of a")
    (tmp_path / "b.png").write_bytes(b"made of b")
    ledger = Ledger(tmp_path, model="net version 1", settings="s1")
    ledger.add("a", "digest a", {"a.png": sha256(tmp_path / "a.png")})
    ledger.add("b", "digest b", {"b.png": sha256(tmp_path / "b.png"), "b.txt": "0"})
    return ledger


def again(ledger, settings="s1", model="net version 1"):
    return Ledger(ledger.folder, model=model, settings=settings)


def test_states(ledger):
    known = again(ledger)
    assert known.state("a", "digest a", ["a.png"]) == "finished"
    assert known.state("b", "digest b", ["b.png", "b.txt"]) == "incomplete"
    assert known.state("c", "digest c", ["c.png"]) == "new"


def test_another_content_on_either_side_or_other_settings_are_foreign(ledger):
    assert again(ledger).state("a", "digest of an edited a", ["a.png"]) == "foreign"
    assert again(ledger).state("b", "digest a", ["a.png"]) == "foreign"
    assert again(ledger, "s2").state("a", "digest a", ["a.png"]) == "foreign"
    (ledger.folder / "a.png").write_bytes(b"edited")
    assert again(ledger).state("a", "digest a", ["a.png"]) == "foreign"


def test_a_file_that_nobody_listed_is_foreign(ledger):
    (ledger.folder / "c.png").write_bytes(b"mine")
    assert again(ledger).state("c", "digest c", ["c.png"]) == "foreign"


def test_other_models_are_named_as_long_as_their_files_are_there(ledger):
    known = again(ledger, "s2", "net version 2")
    assert known.others(["a", "b"]) == ["net version 1"]
    assert again(ledger).others(["a", "b"]) == []
    assert known.others(["c"]) == []
    (ledger.folder / "a.png").unlink()
    assert known.others(["a"]) == []


def test_the_last_row_counts(ledger):
    known = again(ledger, "s2", "net version 2")
    known.add("a", "digest a", {"a.png": sha256(ledger.folder / "a.png")})
    assert again(ledger, "s2").state("a", "digest a", ["a.png"]) == "finished"
    assert again(ledger).state("a", "digest a", ["a.png"]) == "foreign"


def test_a_torn_last_line_harms_no_other(ledger):
    path = ledger.folder / NAME
    path.write_text(path.read_text() + "c,digest")
    known = again(ledger)
    assert known.state("a", "digest a", ["a.png"]) == "finished"
    known.add("d", "digest d", {"a.png": sha256(ledger.folder / "a.png")})
    assert again(ledger).state("d", "digest d", ["a.png"]) == "finished"
