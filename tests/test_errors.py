from __future__ import annotations

import pytest

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
