"""Files whose folder was moved or copied."""

from pathlib import Path

from srexp.system.files.moved_files import here, moved, with_moved


def made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_a_copy_is_found_and_not_the_original(tmp_path):
    then = made(tmp_path / "old" / "mlruns" / "outputs" / "today" / "0f3c")
    now = made(tmp_path / "new" / "mlruns" / "outputs" / "today" / "0f3c")
    root = tmp_path / "new" / "mlruns"
    assert here(then, root, root.parent) == now
    assert here(then, root.parent) == now
    assert here(now, root, root.parent) == now


def test_the_longest_end_counts(tmp_path):
    made(tmp_path / "new" / "0f3c")
    now = made(tmp_path / "new" / "today" / "0f3c")
    assert here(Path("/gone/today/0f3c"), tmp_path / "new") == now


def test_what_did_not_come_along_is_where_it_was(tmp_path):
    then = made(tmp_path / "scratch" / "0f3c")
    assert here(then, made(tmp_path / "new")) == then
    assert here(Path("/gone/0f3c"), tmp_path / "new") == Path("/gone/0f3c")


def test_which_folder_moved():
    assert moved(Path("/a/runs/x"), Path("/b/c/runs/x")) == (Path("/a"), Path("/b/c"))
    assert moved(Path("/a/runs/x"), Path("/a/runs/x")) == (Path("/a/runs/x"), Path("/a/runs/x"))
    assert moved(Path("/runs/x"), Path("/data/runs/x")) == (Path("/"), Path("/data"))
    assert moved(Path("/a/x"), Path("/a/y")) == (Path("/a/x"), Path("/a/y"))


def test_only_paths_below_the_folder_change():
    tree = {"root": "/old", "deep": [{"cache": "/old/cache", "n": 2}], "name": "/older", "uri": None}
    assert with_moved(tree, Path("/old"), Path("/new")) == {
        "root": "/new",
        "deep": [{"cache": "/new/cache", "n": 2}],
        "name": "/older",
        "uri": None,
    }
    assert tree["root"] == "/old"
