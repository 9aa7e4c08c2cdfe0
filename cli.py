"""The way in from a checkout: `python cli.py tune --data demo`. Installed, the same command is called `lastmile`."""

from lastmile.commands import main

if __name__ == "__main__":
    main()
