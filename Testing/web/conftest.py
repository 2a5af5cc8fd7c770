"""A browser for all tests of the page, and the app in it; a file may bring its own display."""

import signal

import machine
import pytest
from browser_app import PATIENCE, Served, fruit_home
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


@pytest.fixture(scope="module")
def display():
    return ""


@pytest.fixture(scope="module")
def app(browser, display, tmp_path_factory):  # noqa: ARG001 - without a browser nothing is started
    served = Served(fruit_home(tmp_path_factory.mktemp("home")), display)
    yield served
    served.kill(signal.SIGTERM)


@pytest.fixture(scope="module")
def page(browser, app):
    opened = browser.new_page(viewport={"width": 1280, "height": 720})
    opened.set_default_timeout(PATIENCE)
    opened.goto(app.address)
    yield opened
    opened.close()
