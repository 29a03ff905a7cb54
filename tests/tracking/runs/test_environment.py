import subprocess

import pytest

from srexp.tracking.runs import environment


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("1")
    git("add", "code.py")
    git("commit", "-q", "-m", "first")
    environment.commit_of.cache_clear()
    yield tmp_path, git
    environment.commit_of.cache_clear()


def test_a_clean_checkout_has_its_commit(checkout):
    folder, git = checkout
    (folder / "untracked.txt").touch()
    assert environment.commit_of(folder / "code.py") == (git("rev-parse", "HEAD"), False)


def test_a_changed_file_makes_it_dirty(checkout):
    folder, _ = checkout
    (folder / "code.py").write_text("2")
    assert environment.commit_of(folder / "code.py").dirty


def test_an_installed_package_inside_somebody_s_checkout_has_no_commit(checkout):
    folder, _ = checkout
    (folder / "site-packages").mkdir()
    (folder / "site-packages" / "srexp.py").touch()
    assert environment.commit_of(folder / "site-packages" / "srexp.py") is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    folder, _ = checkout
    monkeypatch.setenv("PATH", "")
    assert environment.commit_of(folder / "code.py") is None


def test_a_user_without_a_name_is_unknown(monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(environment.getpass, "getuser", nameless)
    assert environment.origin_tags()["mlflow.user"] == "unknown"
