"""What the tests of all verbs share."""

import pytest

from lastmile.commands import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process as from a shell; returns exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["lastmile", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return (left.value.code or 0, *capsys.readouterr())

    return run
