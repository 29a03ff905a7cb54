"""What was finished is known again, and nothing else is taken for it."""

import os

import pytest

from srexp.enhance.output_manifest import NAME, OutputManifest
from srexp.errors import RequestError, SrexpError
from srexp.system.files.digests import sha256


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


def test_a_line_that_is_torn_in_the_digest_of_the_settings_is_no_row_now_and_after_the_next(manifest):
    """Such a digest would pass for that of another model or other options."""
    path = manifest.folder / NAME
    (manifest.folder / "c.png").write_bytes(b"made of c")
    manifest.add("c", "digest c", {"c.png": sha256(manifest.folder / "c.png")})
    path.write_bytes(path.read_bytes().rpartition(b"s1")[0] + b"s")
    for _ in range(2):
        known = again(manifest)
        assert known.others(["a", "b", "c"]) == []
        assert known.state("a", "digest a", ["a.png"]) == "finished"
        assert known.state("c", "digest c", ["c.png"]) == "foreign"
        known.add("d", "digest d", {"d.png": "0"})


def test_what_was_not_kept_is_listed_but_not_in_a_list_of_before(manifest):
    path = manifest.folder / NAME
    manifest.add("c", "digest c", {"a.png": "0"}, ["colour profile not kept", "size of a pixel not kept"])
    assert path.read_text().splitlines()[-1].endswith(",colour profile not kept; size of a pixel not kept,,,,,")
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


def finished(folder, mode=0o644):
    path = folder / "finished"
    path.write_bytes(b"new")
    path.chmod(mode)
    return path


def test_links_are_replaced_and_not_followed(tmp_path):
    output, mine = tmp_path / "out", tmp_path / "mine.png"
    output.mkdir()
    mine.write_bytes(b"mine")
    (output / "a.png").symlink_to(mine)
    OutputManifest(output, model="net", settings="s").place({"a.png": finished(output)}, mine)
    assert mine.read_bytes() == b"mine"
    assert not (output / "a.png").is_symlink()


def test_a_pipe_in_place_of_the_list_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "enhanced.csv")
    with pytest.raises(RequestError, match=r"enhanced\.csv in output, .* can't be used: it is a pipe"):
        OutputManifest(tmp_path, model="net", settings="s")


@pytest.mark.parametrize("name", ["sub/a.png", "sub/deeper/a.png"])
def test_a_folder_that_leads_out_is_refused(tmp_path, name):
    output, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    output.mkdir()
    elsewhere.mkdir()
    (output / "sub").symlink_to(elsewhere)
    known = OutputManifest(output, model="net", settings="s")
    for refused in (
        lambda: known.make_folder(name),
        lambda: known.place({name: finished(output)}, output / "finished"),
    ):
        with pytest.raises(SrexpError, match="leads out of it"):
            refused()
    assert [*elsewhere.iterdir()] == []


@pytest.mark.parametrize("there", [True, False])
def test_a_list_that_is_a_link_is_refused(tmp_path, there):
    mine, output = tmp_path / "mine.txt", tmp_path / "out"
    output.mkdir()
    known = OutputManifest(output, model="net", settings="s")
    if there:
        mine.write_text("mine")
    (output / NAME).symlink_to(mine)
    with pytest.raises(RequestError, match="it is a link"):
        OutputManifest(output, model="net", settings="s")
    with pytest.raises(OSError, match="it is a link"):  # it came after the list was read
        known.add("a", "1", {"a.png": "2"})
    assert mine.exists() == there
    assert not there or mine.read_text() == "mine"


@pytest.mark.parametrize(("source", "mode"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o400, 0o600)])
def test_an_output_has_no_more_readers_than_its_source(tmp_path, source, mode):
    path = tmp_path / "source.dcm"
    path.touch(source)
    path.chmod(source)
    OutputManifest(tmp_path, model="net", settings="s").place({"a.dcm": finished(tmp_path)}, path)
    assert (tmp_path / "a.dcm").stat().st_mode & 0o777 == mode & 0o644


def test_a_group_reads_what_all_may_where_the_source_has_another_group(tmp_path, monkeypatch):
    path = tmp_path / "source.dcm"
    path.touch()
    path.chmod(0o640)
    monkeypatch.setattr(os, "getegid", lambda: path.stat().st_gid + 1)
    OutputManifest(tmp_path, model="net", settings="s").place({"a.dcm": finished(tmp_path, 0o664)}, path)
    assert (tmp_path / "a.dcm").stat().st_mode & 0o777 == 0o600


def test_names_that_spreadsheets_compute_are_guarded_and_found_again(tmp_path):
    name = "=cmd|calc!A0.png"
    (tmp_path / name).write_bytes(b"made")
    known = OutputManifest(tmp_path, model="@net", settings="s")
    known.add(name, "digest", {name: sha256(tmp_path / name)})
    assert "\n'=cmd" in (tmp_path / NAME).read_text()
    assert OutputManifest(tmp_path, model="@net", settings="s").state(name, "digest", [name]) == "finished"
    assert OutputManifest(tmp_path, model="other", settings="t").others([name]) == ["@net"]
