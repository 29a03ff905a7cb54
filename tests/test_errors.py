from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from srexp.data.image import UnreadableImageError
from srexp.errors import RequestError, SrexpError, did_you_mean


def test_what_was_not_said_has_no_line():
    assert str(SrexpError("it failed")) == "it failed"
    assert str(SrexpError("it failed", fix="mend it")) == "it failed\n  fix:      mend it"


@pytest.mark.parametrize("got", [0, "", False, []])
def test_an_empty_value_was_got_all_the_same(got):
    assert f"got:      {got!r}" in str(SrexpError("it failed", got=got))


def test_a_wrong_request_exits_2_and_other_failures_1():
    assert (SrexpError("x").exit_code, RequestError("x").exit_code) == (1, 2)
    assert issubclass(RequestError, SrexpError)
    assert SrexpError("x", result={"done": 1}).result == {"done": 1}


def test_nothing_near_is_meant():
    assert did_you_mean("zzz", ["srcnn", "vdsr"]) == ""
    assert did_you_mean("vdrs", iter(["srcnn", "vdsr"])) == "did you mean vdsr?"


@pytest.mark.parametrize(
    "error",
    [
        RequestError("a", lines=["b", "c"], got="d", expected="e", fix="f"),
        SrexpError("a\nb", result={"done": 1}),
        UnreadableImageError("is damaged", fix="save it again"),
    ],
)
def test_an_error_says_the_same_in_another_process(error):
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_a_path_is_shown_as_its_text_and_names_no_class() -> None:
    assert str(SrexpError("gone", got=Path("/a/b"))) == str(SrexpError("gone", got="/a/b"))
    assert "Posix" not in str(SrexpError("gone", got=Path("/a/b")))
