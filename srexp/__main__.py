"""`python -m srexp`, and the console script."""

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback before it can say more of it, too."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from srexp.cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


def _end(*_: object) -> None:
    os.write(2, b"srexp: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
