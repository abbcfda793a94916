"""The browser and the server that tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from live_page import Page as Server
from live_page import page
from visiting import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each gets a page with its own cookies."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that reads five times a second."""
    with page() as running:
        running.tick(3)
        clock = running.tick_on(0.2)
        yield running
        running.hold()
        clock.join()
