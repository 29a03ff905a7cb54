"""Stand-ins for addresses with secrets; the parsers that read addresses in the end are the judges."""

from __future__ import annotations

import html
import json
import os
import re
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from srexp.config.override_grammar import without_secrets
from srexp.errors import RequestError
from srexp.system.masking.credentials import (
    VARIABLE,
    has_secret,
    hidden,
    hidden_variable,
    hidden_variables,
    known,
    revealed,
    revealed_variable,
)
from srexp.system.masking.redaction import mask

RESERVED = ":/?#[]@!$&'()*+,;=%\"` {}\\<>|^~"
PASSWORDS = st.text(alphabet=f"aZ09.-_{RESERVED}é", max_size=12).map(lambda middle: f"q7Xv{middle}9zKw")


@pytest.mark.parametrize(
    ("address", "stand_in"),
    [
        ("postgresql://ann:pa55@host:5432/runs", "postgresql://***@host:5432/runs"),
        ("mysql://ann:p@s/s?#@host/runs", "mysql://***@host/runs"),
        ("https://token@host/x", "https://***@host/x"),
        ("postgresql:///runs?host=db&passwd=a&b c#d&n=1", "postgresql:///runs?host=db&passwd=***&n=1"),
        ("s3://bucket/a?X-Amz-Signature=abc&part=2", "s3://bucket/a?X-Amz-Signature=***&part=2"),
        ("https://host/a#access_token=abc", "https://host/a#access_token=***"),
        ("https://host/a?token=one\ntwo&n=1", "https://host/a?token=***&n=1"),
        ("https://ann:one\ntwo@host/a", "https://***@host/a"),
    ],
)
def test_a_stand_in_has_no_secret_and_means_its_address(address: str, stand_in: str) -> None:
    assert hidden(address) == hidden(stand_in) == stand_in
    assert has_secret(address)
    assert has_secret(stand_in)
    real = revealed(stand_in, "key")
    assert unquote(real) == unquote(address)
    assert re.sub(r"\*\*\*\d", "***", hidden(real)) == stand_in


@pytest.mark.parametrize(
    "address",
    [
        "http:/ann:pa55@host", "https:/pa55@host", "postgresql:ann:pa55@host/runs", "HTTP:/ann:pa55@host",
        "http//ann:pa55@host", " http://ann:pa55@host", "http: //ann:pa55@host", "http:\\\\ann:pa55@host", "http:///ann:pa55@host",
        "http;//ann:pa55@host",
        "htp:/ann:pa55@host", "postgress:ann:pa55@host", "PostgreSQL+psycopg2:/ann:pa55/w@host", "//ann:pa55@host",
        "ann:pa55@host:5000", "ann:pa55@host.org/x", "ann:pa55@localhost", "mysql:/ann:pa55:/?#@host",
        "http:/host/?token=pa55", "http:host?token=pa55", "host:5000/x?password=pa55", "see http:/ann:pa55@host",
        "${oc.env:X,http:/ann:pa55@host}", "${oc.env:X,ann:pa55@host:1}",
        *(f"ann:pa55@host:1{between}https://host/x" for between in (",", ";", " ", " , ")),
        *(f"ann:pa55@host:1{between}bob:pa55@host:2" for between in (",", " , ")),
    ],
)  # fmt: skip
def test_an_address_that_is_mistyped_has_a_stand_in_too(address: str) -> None:
    stand_in = hidden(address)
    assert "pa55" not in stand_in
    assert hidden(stand_in) == stand_in
    assert has_secret(stand_in)
    assert "pa55" not in mask(f"no such thing: {address.strip()}")
    assert "pa55" not in without_secrets(f"tracking.uri={address}") + without_secrets(address)


@pytest.mark.parametrize(
    "harmless",
    [
        "https://host/a@b", "http://127.0.0.1:5000/x", "http://[::1]:5000", "sqlite:////data/a:b@c.db", "ann@host",
        "file:///a:b@c", "models:/a@champion", "https://zenodo.org/records/1/files/a.npz?download=1", r"^(.)#key=(.)",
        "postgresql://${oc.env:USER}:${oc.env:PASSWORD}@host/runs", "https://host/x?token=${oc.env:TOKEN}",
        "models:/a:b@c.d", "/data/a:b@c.d", "data/a:b@c", "note: 10:30@lab", "C:\\a\\b@c", "git@github.com:org/repo",
        "12:30:01", "file:a:b@c", "http:/host/a", "a?key=(.)", "rs=0:di=01;34:*.tar=01;31:*@2x.png=1",
        "/usr/bin:/x@y/bin:/z",
    ],
)  # fmt: skip
def test_what_has_no_secret_stays(harmless: str) -> None:
    assert hidden(harmless) == harmless
    assert not has_secret(harmless)


@given(password=PASSWORDS.filter(lambda text: "@" not in text or not set(text) & set("/?#")), encoded=st.booleans())
def test_whatever_a_password_holds_both_parsers_read_it(*, password: str, encoded: bool) -> None:
    meant = password if encoded else unquote(password)
    typed = quote(password, safe="") if encoded else password
    os.environ[VARIABLE] = "{}"
    stand_in = hidden(f"postgresql://ann:{typed}@host:5432/runs?application_name=srexp")
    assert "q7Xv" not in stand_in
    assert "9zKw" not in stand_in
    real = revealed(stand_in, "search.storage")
    url, parts = make_url(real), urlsplit(real)
    assert (url.username, url.password, url.host, url.port, url.database) == ("ann", meant, "host", 5432, "runs")
    assert unquote(parts.password or "") == meant
    assert parse_qs(parts.query) == {"application_name": ["srexp"]}


@given(
    password=PASSWORDS.filter(lambda text: not set(text) & set("&;#+%=")),
    encoded=st.booleans(),
    place=st.sampled_from(["host:5432", "host", "", "ann:pw@host:5432"]),
)
def test_whatever_a_password_in_the_query_holds_both_parsers_read_it(
    *, password: str, encoded: bool, place: str
) -> None:
    """An @ in it ends no user, and so begins no host, which is shown."""
    os.environ[VARIABLE] = "{}"
    typed = quote(password, safe="") if encoded else password
    stand_in = hidden(f"postgresql://{place}/runs?user=ann&passwd={typed}&sslmode=disable")
    assert not {"q7Xv", "9zKw"} & {stand_in[at : at + 4] for at in range(len(stand_in))}
    real = revealed(stand_in, "search.storage")
    url = make_url(real)
    assert (url.host or "", url.database) == (place.rpartition("@")[2].partition(":")[0], "runs")
    assert url.query == {"user": "ann", "passwd": password, "sslmode": "disable"}
    assert parse_qs(urlsplit(real).query) == {key: [value] for key, value in url.query.items()}


@given(PASSWORDS, st.sampled_from(["http://ann:{}@host/x", "http://ann:{}@host", "mysql://h/db?password={}"]))
def test_a_known_secret_is_found_however_it_is_written(password: str, address: str) -> None:
    os.environ[VARIABLE] = "{}"
    real = address.format(password)
    stand_in = hidden(real)
    for said in (real, repr(real), json.dumps(real), f"it's at {real}!", f'"{real}"', quote(password, safe="")):
        assert "q7Xv" not in mask(said)
    assert mask(stand_in) == stand_in


def test_the_default_of_an_interpolation_is_an_address_of_its_own() -> None:
    assert hidden("${oc.env:X,http://a:b@host}") == "${oc.env:X,http://***@host}"
    assert revealed("http://***@host", "key") == "http://a:b@host"


@pytest.mark.parametrize("query", ["", "/x?token=abc"])
def test_passwords_for_one_place_are_told_apart_by_one_number(query: str) -> None:
    real = [f"http://ann:{password}@host{query}" for password in ("one", "two", "three")]
    stand_ins = [hidden(each) for each in real]
    shown = query.replace("abc", "***")
    assert stand_ins == [f"http://***{number}@host{shown}" for number in ("", "2", "3")]
    assert [revealed(each, "key") for each in stand_ins] == real
    assert json.loads(os.environ["SREXP_SECRETS"]) == dict(zip(stand_ins, real, strict=True))


def test_a_byte_that_is_no_text_reaches_the_server_as_it_was_typed() -> None:
    stand_in = hidden("http://ann:q7Xv\udcff9zKw@host")
    assert revealed(stand_in, "key") == "http://ann:q7Xv%FF9zKw@host"
    assert mask("q7Xv\udcff9zKw") == "***"


def test_no_other_host_gets_a_password() -> None:
    hidden("https://ann:pa55@host/x")
    for elsewhere in ("https://***@evil/x", "https://***@host/x/../y", "http://***@host/x"):
        with pytest.raises(RequestError, match=r"dataset\.url is an address without its secret"):
            revealed(elsewhere, "dataset.url")


def test_variables_are_secret_by_their_name() -> None:
    assert hidden_variable("A_PASSWORD", "hunter") == hidden_variable("A_PASSWORD", "***") == "***"
    assert hidden_variable("MY_URI", "http://a:b@host") == "http://***@host"
    assert [hidden_variable(name, "/x") for name in ("PWD", "OLDPWD", "HOME")] == ["/x"] * 3
    assert revealed_variable("A_PASSWORD", "***") == "hunter"
    assert revealed_variable("B_PASSWORD", "***") == "***"
    assert revealed_variable("MY_URI", "http://***@host") == "http://a:b@host"
    for left in ("***2", "${oc.env:OTHER}"):
        assert hidden_variable("B_PASSWORD", left) == left
    assert hidden_variables({"A_TOKEN": 17, "TZ": "UTC"}) == {"A_TOKEN": "***", "TZ": "UTC"}
    assert revealed_variable("A_TOKEN", "***") == "17"


SECRET = "q7 \"X'v\\é<9z&Kw"


@pytest.mark.parametrize(
    "said",
    [
        SECRET, quote(SECRET, safe=""), quote_plus(SECRET), repr(SECRET)[1:-1], json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1], SECRET.replace("'", "''"), html.escape(SECRET),
    ],
)  # fmt: skip
@pytest.mark.parametrize("told", [SECRET, quote(SECRET, safe=""), quote_plus(SECRET)])
def test_a_secret_is_blanked_whole_in_whatever_way_it_is_told_and_said(told: str, said: str) -> None:
    hidden_variable("A_PASSWORD", told)
    assert mask(f"<{said}>") == "<***>"


def test_what_is_blanked_of_a_text_is_the_secret_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters alone count from the twelfth on, other secrets from the fifth; the longest of several comes first."""
    for number, secret in enumerate(["abcdefghijkl", "abcdefghijk", "q7Xv9", "q7Xv", "q7Xv9zKw"]):
        monkeypatch.setenv(f"A{number}_TOKEN", secret)
    assert mask("abcdefghijkl abcdefghijk q7Xv9! q7Xv! q7Xv9zKw!") == "*** abcdefghijk ***! q7Xv! ***!"


@pytest.mark.parametrize(
    ("told", "text", "shown"),
    [
        ("http:/ann:q7:Xv9zKw@host", "q7:Xv9zKw", "***"),
        ("http://ann:q7Xv9zKw@host/x@y", "q7Xv9zKw", "***"),
        ("http://@host", "ann@host", "ann@host"),
        ("mysql://ann:q7Xv9zKw@host/db?charset=utf8mb4", "utf8mb4", "utf8mb4"),
    ],
)
def test_a_secret_of_an_address_is_blanked_where_it_stands_alone(told: str, text: str, shown: str) -> None:
    hidden(told)
    assert mask(text) == shown


def test_a_secret_with_an_equals_sign_is_blanked() -> None:
    hidden_variable("A_PASSWORD", "hun=ter77")
    assert mask("hun=ter77") == "***"


def test_secrets_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:q7Xv9zKw@proxy:3128")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s1 p'w")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "mlflow")  # a word that texts have for themselves
    assert known()
    assert mask("no way past ann:q7Xv9zKw@proxy with q7Xv9zKw, s1 p'w or s1%20p%27w in mlflow.db") == (
        "no way past ***@proxy with ***, *** or *** in mlflow.db"
    )
