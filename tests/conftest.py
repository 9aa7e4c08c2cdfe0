"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hub import Hub
from hypothesis import settings

# A machine that is busy with other work is no fault of the code.
settings.register_profile("lastmile", deadline=None)
settings.load_profile("lastmile")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> None:
    """No test reads or writes the cache of the person who runs it."""
    monkeypatch.setenv("LASTMILE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A running loopback hub without repositories; see tests/hub.py."""
    with Hub() as running:
        yield running
