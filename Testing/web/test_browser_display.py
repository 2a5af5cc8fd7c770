"""The short way through the app on a computer that has a display: every size, light and dark."""

import os
import shutil
import subprocess

import machine
import numpy as np
import pytest
from browser_app import (
    NAMES,
    drag,
    ml,
    no_button_is_cut_off,
    nothing_serious,
    segmented,
    until,
    use_fruit,
)

SIZES = ((1280, 720), (1920, 1080))
VTKS = ("q", "3", "w", "s", "f", "Escape")  # what VTK would leave with, or show in red and blue


@pytest.fixture(scope="module")
def display():
    """A screen that nobody sees."""
    if not shutil.which("Xvfb"):
        machine.cannot_test("the browser app on a computer with a display", "display")
    told, tell = os.pipe()
    words = ["Xvfb", "-displayfd", str(tell), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[tell], stderr=subprocess.DEVNULL) as server:
        os.close(tell)
        with os.fdopen(told) as line:
            yield f":{line.readline().strip()}"
        server.terminate()


@pytest.fixture(scope="module", autouse=True)
def fruit(page):
    use_fruit(page)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_short_way(page, size, colours):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.click("#step-segment")
    segmented(page)
    page.click("#to-review")
    no_button_is_cut_off(page)
    page.keyboard.press("n")
    page.wait_for_selector("#ring-0")
    box = page.locator(".image-display-area").first.bounding_box()
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    page.keyboard.press("1")
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    page.keyboard.press("e")  # to VTK it means exit
    page.wait_for_selector("#tool-erase.v-btn--active")
    before = ml(page, NAMES[0])
    reach = box["height"] / 8  # as many millimetres in a larger view
    drag(page, middle - reach, middle + reach)
    until(page, lambda: ml(page, NAMES[0]) < before)
    nothing_serious(page, axe, (size, colours))
    page.keyboard.press("z")
    until(page, lambda: ml(page, NAMES[0]) == before)
    for key in VTKS:
        page.keyboard.press(key)
    told = page.inner_text("#told-0")
    page.mouse.wheel(0, 120)
    until(page, lambda: page.inner_text("#told-0") != told)  # it lives
    page.click("#theme")
    page.wait_for_selector(f".v-theme--{'dark' if colours == 'light' else 'light'}.v-layout")
