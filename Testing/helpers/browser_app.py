"""The app as a process of its own, a user's folder for it, and what a hand does on its page."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import torch
from cmcseg.bundle.pack import save_bundle
from cmcseg.core.card import CleaningRule
from cmcseg.core.labelmap import LabelTable
from PIL import Image
from tiny import tiny_card, tiny_pairs, tiny_state

NAMES = ("apple", "pear", "plum", "fig")  # no phantom shows these, so none has to be made
CASES = ("ann", "bob")
PATIENCE = 120_000  # ms; two busy cores
LEFT_VIEW = {"x": 390, "y": 60, "width": 420, "height": 560}  # at 1280 x 720
HEADS = ("decoders.0.heads.0.bias", "decoders.0.heads.1.bias")
SERIOUS = ("serious", "critical")


def fruit_home(home):
    """A user's folder with a model that finds apples everywhere, and two cases."""
    files = home / "files"
    files.mkdir()
    tiny_pairs(files, len(CASES))
    card = tiny_card()
    labels = tuple(
        replace(label, name=name) for label, name in zip(card.table.labels, NAMES, strict=True)
    )
    card = replace(
        card,
        name="fruit",
        title="Fruit",
        table=LabelTable(labels=labels),
        cleaning=CleaningRule(),
        grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)),
    )
    # It sees the first everywhere, whatever it is shown: what fine-tuning calls plausible then
    # does not hang on chance.
    state = {key: 0.01 * value for key, value in tiny_state(card).items()}
    state |= {head: torch.tensor([0.0, 3.0, 0.0, 0.0, 0.0]) for head in HEADS}
    save_bundle(state, card, home / "cmcseg" / "models" / "fruit")
    scans = home / "scans"
    for number, case in enumerate(CASES):
        (scans / case).mkdir(parents=True)
        for role in card.roles:
            shutil.copy(files / f"{number}_{role}.nii.gz", scans / case / f"{role}.nii.gz")
    return home


class Served:
    """The app as a process of its own.

    Args:
        home: of ``fruit_home``.
        display: the X display that it is told of; none when empty, as on a server.
    """

    def __init__(self, home, display=""):
        self.folder = home / "scans"
        self.environment = {**os.environ, "XDG_DATA_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self.environment.pop("DISPLAY", None)
        if display:
            self.environment["DISPLAY"] = display
        self.start()

    def start(self):
        self._log = (self.folder.parent / "web.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cmcseg", "web", self.folder, "--port", "0", "--no-open"],
            env=self.environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        until = time.monotonic() + PATIENCE / 1000
        while "CMCSeg: http" not in (text := self.text()):
            assert self.process.poll() is None, text
            assert time.monotonic() < until, text
            time.sleep(0.1)
        self.address = text.split("CMCSeg: ")[1].split()[0]

    def text(self):
        self._log.seek(0)
        return self._log.read()

    def kill(self, sign=signal.SIGKILL):
        self.process.send_signal(sign)
        self.process.wait(PATIENCE / 1000)
        self._log.close()


def picture(page):
    return np.asarray(Image.open(BytesIO(page.screenshot(clip=LEFT_VIEW))).convert("RGB"), int)


def until(page, truth, seconds=PATIENCE / 1000):
    """Wait for something that the page shows a moment later."""
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, page.locator("#notice").all_inner_texts()
        page.wait_for_timeout(100)


def drag(page, start, end):
    """With the left button, as a hand does."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=10)
    page.mouse.up()


def ml(page, organ):
    return float(page.locator(f"[data-organ='{organ}']").inner_text().split()[0])


def segmented(page):
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#cancel")  # the table of the result before stays until then
    page.wait_for_selector("#segment:not([disabled])")
    page.wait_for_selector("#to-review")
    assert page.locator("#notice").count() == 0


def use_fruit(page):
    """Open the first case, and choose the model that finds apples."""
    page.locator(".case").first.click()
    page.wait_for_selector("#step-segment.v-tab--selected")  # it turns when the case has come
    page.click("#step-models")
    page.locator(".v-card", has_text="Fruit").get_by_text("Use it").click()
    page.click("#step-segment")
    # A scan is called the same everywhere: by its title, not by the word in its file's name.
    until(page, lambda: "CT of ann" in page.locator(".v-select").first.inner_text())


def nothing_serious(page, axe, where):
    """What axe finds on a page of the app that would stop somebody from using it: nothing."""
    found = axe.run(page).response["violations"]
    told = {f["id"]: f["nodes"][0]["html"] for f in found if f["impact"] in SERIOUS}
    assert told == {}, where


def no_button_is_cut_off(page):
    """Every button below the views lies within the page, shows all its words, and can be hit."""
    width = page.viewport_size["width"]
    buttons = page.locator(".bar .v-btn").all()
    assert len(buttons) >= 8
    for button in buttons:
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert button.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
        assert button.evaluate(
            "e => { const r = e.getBoundingClientRect(); const at = document.elementFromPoint("
            "r.right - 3, r.top + r.height / 2); return at === e || e.contains(at); }"
        ), button.inner_text()
