"""Room on disk, without a server."""

from srexp.enhance.serving.spool import Spool


def test_the_one_that_moves_longest_goes_and_those_that_wait_stay():
    spool, gone = Spool(most=100), []
    with (
        spool.visit(lambda: gone.append("waits")) as waits,
        spool.visit(lambda: gone.append("slow")) as slow,
        spool.visit(lambda: gone.append("quick")) as quick,
        spool.visit(lambda: gone.append("new")) as new,
    ):
        assert spool.has_room(waits, 50)
        with spool.moving(slow), spool.moving(quick), spool.moving(new):
            assert spool.has_room(slow, 30)
            assert spool.has_room(quick, 20)
            assert spool.has_room(new, 30)
            assert gone == ["slow"]
            assert not spool.has_room(new, 51)
            assert gone == ["slow", "quick"]
    assert not waits.sent.parent.exists()
