"""`python -m srexp`."""

from srexp.cli import main

if __name__ == "__main__":
    main()
