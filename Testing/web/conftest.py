"""A browser for all tests of the page, and a page of the app."""

import machine
import pytest
from cmcseg.web.drawing import can_draw
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")  # its event loop must not outlive a file's tests
def browser():
    path = machine.browser()
    if path is None or not can_draw():
        machine.cannot_test("the browser app", "browser", "drawing")
    with sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()
