"""Processes wait for each other before TensorFlow does, which holds Python in the meantime, and takes no Ctrl-C."""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress

from srexp.errors import SrexpError
from srexp.training.cluster.environment import Place

#: Longest time that a process waits for the others, which may read images first.
WAIT_SECONDS = 1800.0
_GREETING = "srexp multi_worker {index}\n"
_AGAIN_SECONDS = 0.2


def meet(place: Place, *, seconds: float = WAIT_SECONDS) -> None:
    """Wait until all processes have greeted this one, and it has greeted all of them.

    So when it goes on and its port is free for TensorFlow, nobody looks for it there any more.

    Args:
        place: Which of them this one is.
        seconds: Longest time.

    Raises:
        SrexpError: Others don't come, or the port of this one is taken.
    """
    end = time.monotonic() + seconds
    others = set(range(len(place.addresses))) - {place.index}
    ungreeted, unheard = set(others), set(others)
    with _listening(place.addresses[place.index]) as server:
        while ungreeted or unheard:
            ungreeted -= {index for index in ungreeted if _greet(place.addresses[index], place.index)}
            unheard.discard(_heard(server))
            if time.monotonic() > end:
                absent = [place.addresses[each] for each in sorted(ungreeted | unheard)]
                raise SrexpError(
                    "the other processes of this training don't come",
                    got=f"none in {seconds:.0f} s at {', '.join(absent)}",
                    expected="the same command in each process, and ports that all can reach",
                    fix="see there what it says; each names its own address when it waits",
                )


def _listening(address: str) -> socket.socket:
    port = int(address.rpartition(":")[2])
    try:
        server = socket.create_server(("", port))
    except (OSError, OverflowError) as error:
        raise SrexpError(
            "this process can't take its place among those that train together",
            got=f"port {port}: {error}",
            expected="a port of this machine that nothing listens at",
            fix="another port for it, in the TF_CONFIG of each process",
        ) from error
    server.settimeout(_AGAIN_SECONDS)
    return server


def _greet(address: str, index: int) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1) as connection:
            connection.sendall(_GREETING.format(index=index).encode())
    except OSError:  # not there yet
        return False
    return True


def _heard(server: socket.socket) -> int | None:
    """Give who greets, if somebody does within a moment."""
    with suppress(OSError, UnicodeDecodeError):
        connection, _ = server.accept()
        with connection:
            connection.settimeout(1)
            said = re.fullmatch(re.escape(_GREETING).replace(r"\{index\}", r"(\d+)"), connection.recv(64).decode())
            return int(said[1]) if said else None
    return None
