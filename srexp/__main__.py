"""`python -m srexp`, and the console script."""

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """Run the command line; asked to end before it can say more of it, it ends with the same exit code all the same.

    Whatever handles signals later puts this back, so that there is no moment in which one ends the process by itself.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)
    from srexp.cli import main as run

    run()


def _end(*_: object) -> None:
    try:
        os.write(2, b"srexp: interrupted\n")
    finally:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
