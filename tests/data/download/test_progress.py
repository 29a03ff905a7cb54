from __future__ import annotations

import io

from srexp.data.download.progress import TransferBar
from srexp.system.terminal import Terminal


def test_on_a_terminal_a_bar_shows_bytes_speed_and_time_left():
    stream = io.StringIO()
    with TransferBar(Terminal(file=stream, force_terminal=True, width=120)) as progress:
        progress("images_001.tar.gz", 0, 14_680_064)
        progress("images_001.tar.gz", 7_340_032, 14_680_064)
        progress("images_001.tar.gz", 14_680_064, 14_680_064)
    shown = stream.getvalue()
    assert "images_001.tar.gz" in shown
    assert "14.7/14.7 MB" in shown
    assert "/s" in shown
    assert "0:00:00" in shown


def test_elsewhere_only_the_start_and_the_end_of_each_file_are_said():
    stream = io.StringIO()
    with TransferBar(Terminal(file=stream, force_terminal=False, width=120)) as progress:
        for there in range(1_000, 100_000, 1_000):
            progress("a.zip", there, 99_000)
        progress("b.zip", 0, None)
        progress("b.zip", 5_000, None)
    assert stream.getvalue().splitlines() == [
        "a.zip, 99.0 kB, 1.0 kB are there already",
        "a.zip: 99.0 kB done",
        "b.zip",
        "b.zip: 5.0 kB done",
    ]


def test_it_writes_to_standard_error(capsys):
    with TransferBar() as progress:
        progress("a.zip", 0, 10)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a.zip" in captured.err
