"""Names and origins, over a real socket."""

import pytest

from tests.enhance.serving.served import ask, head, refused, serving, talk, told


def ask_as(host, port, path="/version", method="GET"):
    return ask(port, None if method == "GET" else b"abc", path=path, method=method, headers={"Host": host})[0]


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "LOCALHOST",
        "localhost:8080",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.1.2.3",
        "[::1]",
        "[::1]:8080",
        "mine",
        "Mine:80",
    ],
)
def test_the_servers_own_names_are_answered(name):
    with serving(hosts=["Mine"]) as port:
        assert ask_as(name, port) == 200
        assert ask_as(name, port, "/restore", "POST") == 200


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "name",
    [
        *("evil.example", "evil.example:8080", "localhost.evil.example", "evil-localhost", "127.0.0.1.evil.example"),
        *("localhost@evil.example", "evil.example@localhost", "10.0.0.1", "0.0.0.1", "[::2]", "2130706433", "0x7f.1"),
        *(
            "",
            ":80",
            "localhost:80:80",
            "localhost:x",
            "localhost/",
            "[localhost]",
            "*",
            "mine.",
            "localhost,evil.example",
        ),
    ],
)
def test_a_name_that_was_rebound_is_not(name):
    with serving(hosts=["mine"]) as port:
        for path, method in (
            ("/restore", "POST"),
            ("/version", "GET"),
            ("/health", "GET"),
            ("/health", "HEAD"),
            ("/x", "GET"),
        ):
            assert ask_as(name, port, path, method) == 421
        status, reason = refused(port, head(3, name) + b"abc")
        assert status == 421
        assert "hosts=[NAME]" in reason


def test_the_address_in_the_request_line_is_not_the_host():
    with serving() as port:
        assert refused(port, b"GET http://localhost/version HTTP/1.1\r\nHost: evil.example\r\n\r\n")[0] == 421
        assert refused(port, b"GET /version HTTP/1.0\r\n\r\n")[0] == 421


def test_a_proxy_in_front_is_nobody_else():
    with serving() as port:
        headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
        assert ask(port, b"abc", headers=headers)[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "Cross-Site, none"},
        {"Origin": "https://viewer.example.evil.example"},
        {"Origin": "https://viewer.example https://evil.example"},
    ],
)
def test_a_foreign_page_does_not_post(headers):
    with serving(origins=["https://viewer.example"]) as port:
        status, content, _ = ask(port, b"abc", headers={"Host": "localhost", **headers})
        assert (status, b"origins=" in content) == (403, True)
        assert ask(port, b"abc")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://Viewer.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_its_own_pages_and_those_that_are_let_in_post(headers):
    with serving(origins=["https://viewer.example"]) as port:
        assert ask(port, b"abc", headers={"Host": "localhost:8080", **headers})[0] == 200


def test_a_page_that_is_let_in_may_read_the_answer_and_no_other():
    with serving(origins=["https://viewer.example"]) as port:
        for origin, allowed in (("https://viewer.example", True), ("https://evil.example", False)):
            asked = f"OPTIONS /restore HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n"
            asked += "Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
            with talk(port, asked.encode()) as client:
                assert (f"access-control-allow-origin: {origin}".encode() in told(client)) == allowed
