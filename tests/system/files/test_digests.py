"""The digest of a file."""

import hashlib

from srexp.system.files.digests import sha256


def test_it_is_that_of_the_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content" * 100_000)
    assert sha256(path) == hashlib.sha256(b"content" * 100_000).hexdigest()
