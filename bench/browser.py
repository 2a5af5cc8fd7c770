"""How fast the browser app answers, and whether its memory stays where it is.

    python bench/browser.py --segmentations 50

Starts ``cmcseg web`` on a folder of its own with a small pair, opens it in a headless Chromium and
uses mouse and keys. Prints a table:

- seconds from the command to the printed link, to the page, and from the click on the case to its
  picture; beside them the processor seconds of the server, which other work on the machine
  does not stretch;
- milliseconds from the event of the wheel to the changed picture, over 40 steps;
- memory of server and worker after 5 segmentations and after all of them.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_volume
from playwright.sync_api import sync_playwright

STEPS = 40  # of the wheel
FEW = 5  # segmentations before memory is looked at first
PATIENCE = 300_000  # ms
# The time of the wheel's event, and of the first frame on which the view shows another picture.
WATCH = """
(() => {
  const view = document.querySelector('.image-display-area');
  const seen = window.seen = { wheel: 0, changed: 0 };
  let before = view.src;
  view.closest('.remote-controlled-area').addEventListener('wheel', () => {
    seen.wheel = performance.now(); seen.changed = 0; before = view.src;
  }, { capture: true, passive: true });
  const look = () => {
    if (seen.wheel && !seen.changed && view.src !== before) seen.changed = performance.now();
    requestAnimationFrame(look);
  };
  look();
})()
"""


def small_pair(folder):
    """A bright box in a darker one, as CT and as MR, 12 cm wide."""
    rng = np.random.default_rng(0)
    grid = Grid(shape=(40, 36, 40), affine=np.diag([3.0, 3.0, 3.0, 1.0]))
    inside = np.zeros(grid.shape, bool)
    inside[8:30, 8:28, 8:30] = True
    folder.mkdir()
    for role, (low, high) in {"ct": (-100, 120), "mr": (100, 600)}.items():
        image = np.where(inside, high, low) + rng.normal(0, 15, grid.shape)
        write_volume(Volume(array=image.astype(np.int16), grid=grid), folder / f"{role}.nii.gz")


@contextmanager
def served(folder):
    """The app as a process; yields it, its address and the seconds until it was printed."""
    began = time.monotonic()
    with (folder.parent / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cmcseg", "web", folder, "--port", "0", "--no-open"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            address = process.stdout.readline().split()[-1]
            yield psutil.Process(process.pid), address, time.monotonic() - began
        finally:
            process.terminate()
            process.wait(60)


def scroll(page, steps):
    """Milliseconds of each step of the wheel over the first view."""
    box = page.locator(".image-display-area").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate(WATCH)
    took = []
    for step in range(steps):
        page.wait_for_timeout(700)  # the sharp picture that follows the quick one has come
        page.mouse.wheel(0, 120 if step % 20 < 10 else -120)
        page.wait_for_function("window.seen.changed > 0")
        took.append(page.evaluate("window.seen.changed - window.seen.wheel"))
        page.evaluate("window.seen.wheel = 0")
    return took


def megabytes(server):
    """Memory of the server and of its worker in MiB, without the files that are mapped into it.

    Those come and go with what else the machine does.
    """
    worker = next(p for p in server.children(recursive=True) if "work" in p.cmdline())
    return [
        sum(part.anonymous for part in process.memory_maps()) / 2**20
        for process in (server, worker)
    ]


def processor(server):
    """Processor seconds that the server has used."""
    used = server.cpu_times()
    return used.user + used.system


def segment(page):
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#cancel", state="attached")
    page.wait_for_selector("#segment:not([disabled])")
    page.wait_for_timeout(700)  # the result is painted, and kept on disk


def measure(folder, count, browser):
    """Rows of (what, number, unit)."""
    rows = []
    with served(folder) as (server, address, printed):
        began = time.monotonic()
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.wait_for_selector(".case")
        rows += [
            ("command to link", printed, "s"),
            ("command to first view", printed + time.monotonic() - began, "s"),
            ("processor time of the server until then", processor(server), "s"),
        ]
        began = time.monotonic()
        blank = page.locator(".image-display-area").first.get_attribute("src")
        page.click(".case")
        page.wait_for_function(
            "before => document.querySelector('.image-display-area').src !== before", arg=blank
        )
        rows.append(("click on a case to its picture", time.monotonic() - began, "s"))
        page.wait_for_selector("#segment:not([disabled])")
        page.wait_for_timeout(5000)  # the worker is warm
        took = scroll(page, STEPS)
        rows += [
            (f"wheel to picture, median of {STEPS}", statistics.median(took), "ms"),
            ("wheel to picture, slowest", max(took), "ms"),
        ]
        for number in range(1, count + 1):
            segment(page)
            if number in (FEW, count):
                names = zip(("server", "worker"), megabytes(server), strict=True)
                rows += [(f"{name} after {number} segmentations", mb, "MiB") for name, mb in names]
        page.close()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segmentations", type=int, default=50)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as started:
        folder = Path(place) / "scans"
        folder.mkdir()
        small_pair(folder / "small")
        browser = started.chromium.launch(
            executable_path=options.browser, args=["--no-sandbox", "--disable-gpu"]
        )
        rows = measure(folder, options.segmentations, browser)
        browser.close()
    print("| what | |\n|---|---|")
    for what, number, unit in rows:
        print(f"| {what} | {number:.{0 if unit != 's' else 1}f} {unit} |")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{os.cpu_count()} cores; load over 1, 5 and 15 minutes: {load}")


if __name__ == "__main__":
    main()
