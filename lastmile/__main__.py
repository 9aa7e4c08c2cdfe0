"""`python -m lastmile` is the command `lastmile`."""

from lastmile.commands import main

if __name__ == "__main__":
    main()
