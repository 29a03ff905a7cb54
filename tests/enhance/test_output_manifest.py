"""What was finished is known again, and nothing else is taken for it."""

import pytest

from srexp.enhance.output_manifest import NAME, OutputManifest
from srexp.errors import RequestError
from srexp.system.digests import sha256


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "a.png").write_bytes(b"made of a")
    (tmp_path / "b.png").write_bytes(b"made of b")
    manifest = OutputManifest(tmp_path, model="net version 1", settings="s1")
    manifest.add("a", "digest a", {"a.png": sha256(tmp_path / "a.png")})
    manifest.add("b", "digest b", {"b.png": sha256(tmp_path / "b.png"), "b.txt": "0"})
    return manifest


def again(manifest, settings="s1", model="net version 1"):
    return OutputManifest(manifest.folder, model=model, settings=settings)


def test_states(manifest):
    known = again(manifest)
    assert known.state("a", "digest a", ["a.png"]) == "finished"
    assert known.state("b", "digest b", ["b.png", "b.txt"]) == "incomplete"
    assert known.state("c", "digest c", ["c.png"]) == "new"


def test_another_content_on_either_side_or_other_settings_are_foreign(manifest):
    assert again(manifest).state("a", "digest of an edited a", ["a.png"]) == "foreign"
    assert again(manifest).state("b", "digest a", ["a.png"]) == "foreign"
    assert again(manifest, "s2").state("a", "digest a", ["a.png"]) == "foreign"
    (manifest.folder / "a.png").write_bytes(b"edited")
    assert again(manifest).state("a", "digest a", ["a.png"]) == "foreign"


def test_a_file_that_nobody_listed_is_foreign(manifest):
    (manifest.folder / "c.png").write_bytes(b"mine")
    assert again(manifest).state("c", "digest c", ["c.png"]) == "foreign"


def test_other_models_are_named_as_long_as_their_files_are_there(manifest):
    known = again(manifest, "s2", "net version 2")
    assert known.others(["a", "b"]) == ["net version 1"]
    assert again(manifest).others(["a", "b"]) == []
    assert known.others(["c"]) == []
    (manifest.folder / "a.png").unlink()
    assert known.others(["a"]) == []


def test_the_last_row_counts(manifest):
    known = again(manifest, "s2", "net version 2")
    known.add("a", "digest a", {"a.png": sha256(manifest.folder / "a.png")})
    assert again(manifest, "s2").state("a", "digest a", ["a.png"]) == "finished"
    assert again(manifest).state("a", "digest a", ["a.png"]) == "foreign"


def test_a_torn_last_line_harms_no_other(manifest):
    path = manifest.folder / NAME
    path.write_text(path.read_text() + "c,digest")
    known = again(manifest)
    assert known.state("a", "digest a", ["a.png"]) == "finished"
    known.add("d", "digest d", {"a.png": sha256(manifest.folder / "a.png")})
    assert again(manifest).state("d", "digest d", ["a.png"]) == "finished"


def test_what_was_not_kept_is_listed_but_not_in_a_list_of_before(manifest):
    path = manifest.folder / NAME
    manifest.add("c", "digest c", {"a.png": "0"}, ["colour profile not kept", "size of a pixel not kept"])
    assert path.read_text().splitlines()[-1].endswith(",colour profile not kept; size of a pixel not kept")
    path.write_text("input,input_sha256,output,output_sha256,model,settings\na,1,a.png,2,net,s1\n")
    again(manifest).add("c", "digest c", {"c.png": "0"}, ["colour profile not kept"])
    assert path.read_text().splitlines()[-1] == "c,digest c,c.png,0,net version 1,s1"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"",
        lambda text: b"\n",
        lambda text: text.replace("input_sha256", "digest").encode(),
        lambda text: (text + '"' + "x" * 200_000).encode(),
    ],
)
def test_a_list_that_another_program_changed_is_refused_or_as_if_there_were_none(manifest, change):
    path = manifest.folder / NAME
    path.write_bytes(changed := change(path.read_text()))
    if changed.strip():
        with pytest.raises(RequestError, match=r"enhanced\.csv in output[\s\S]*fix: .*output= another folder"):
            again(manifest)
    else:
        assert again(manifest).state("a", "digest a", ["a.png"]) == "foreign"
    path.unlink()
    path.mkdir()
    with pytest.raises(RequestError, match="Is a directory"):
        again(manifest)


@pytest.mark.parametrize("end", ["\u00e9".encode()[:1], b"\xe9\n"])
def test_a_mark_in_front_and_half_a_character_at_the_end_harm_nothing(manifest, end):
    path = manifest.folder / NAME
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + end)
    assert again(manifest).state("a", "digest a", ["a.png"]) == "finished"


def test_what_another_input_became_is_known_as_long_as_it_is_there(manifest):
    known = again(manifest)
    assert known.of_another("c", ["c.png", "a.png"]) == ("a.png", "a")
    assert known.of_another("a", ["a.png"]) is None
    (manifest.folder / "a.png").write_bytes(b"edited")
    assert known.of_another("c", ["a.png"]) is None
