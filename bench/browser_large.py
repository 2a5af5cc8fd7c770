"""How fast the review in the browser answers on a large CT, and whether its progress is honest.

    python bench/browser_large.py [--scan CT.nii.gz]

Without a scan, one of 512 x 512 x 150 voxels is rendered. It is segmented with the shipped model;
then mouse and keys are used. Prints a table: milliseconds from the end of a stroke to the changed
picture and to the changed volume, from the wheel to the changed picture (medians), seconds of the
report, and what the progress bar said at each fifth of the time that the segmentation took. Beside
the first ones stand the processor times of the server (and its workers, for the report), which
other work on the machine does not stretch; that of a stroke holds the draft that is kept after it.
Then marks: seconds from the end of each to what it proposes, and how long the server left anybody
without an answer meanwhile, asked for the page that it refuses without its token.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from browser import PATIENCE, processor, scroll, served
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.imaging.files import write_volume
from playwright.sync_api import sync_playwright
from stroke_speed import scans

STROKES, WHEELS, MARKS = 10, 20, 8
# When the button went up, and when picture and volume were others after it.
WATCH = """
(() => {
  const view = document.querySelector('.image-display-area');
  const volume = () => document.querySelector('.organ.chosen .number').textContent;
  const seen = window.stroke = { up: 0, picture: 0, volume: 0 };
  let src = view.src, text = volume();
  document.addEventListener('mouseup', () => {
    seen.up = performance.now(); seen.picture = seen.volume = 0; src = view.src; text = volume();
  }, { capture: true });
  const look = () => {
    if (seen.up && !seen.picture && view.src !== src) seen.picture = performance.now();
    if (seen.up && !seen.volume && volume() !== text) seen.volume = performance.now();
    requestAnimationFrame(look);
  };
  look();
})()
"""

# When the button went up, and when a proposal could be taken: the page sees it with its next frame,
# somebody who asks from outside up to half a second later.
PROPOSED = """
(() => {
  const seen = window.mark = { up: 0, proposed: 0 };
  document.addEventListener('mouseup', () => {
    seen.up = performance.now(); seen.proposed = 0;
  }, { capture: true });
  const look = () => {
    if (seen.up && !seen.proposed && document.querySelector('#take-mark')) {
      seen.proposed = performance.now();
    }
    requestAnimationFrame(look);
  };
  look();
})()
"""


def progress(page):
    """``(second, per cent, line)`` while a segmentation runs, once the scan is loaded."""
    page.wait_for_selector("#segment:not([disabled])")
    began, told = time.monotonic(), []
    page.click("#segment")
    page.wait_for_selector("#cancel")
    while not page.locator("#to-review").count():
        line = page.locator("#progress-line")
        text = line.inner_text() if line.count() else ""
        if text and (not told or text != told[-1][2]):
            told.append((time.monotonic() - began, int(text.split("%")[0]), text))
        page.wait_for_timeout(250)
    return told, time.monotonic() - began


def paid(server, call):
    """What a call returns, and the processor seconds of the server and its workers meanwhile."""
    before = sum(map(processor, (server, *server.children(recursive=True))))
    got = call()
    return got, sum(map(processor, (server, *server.children(recursive=True)))) - before


def report(page):
    """Seconds until the report can be opened."""
    began = time.monotonic()
    page.click("#review-report")
    page.wait_for_selector("#review-report-link")
    return time.monotonic() - began


def strokes(page):
    """Milliseconds to the picture and to the volume, of each stroke."""
    box = page.locator(".image-display-area").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    page.evaluate(WATCH)
    pictures, volumes = [], []
    for number in range(STROKES):
        page.wait_for_timeout(3000)  # the draft of the one before is on disk
        page.mouse.move(x - 60 + 12 * number, y - 60)
        page.mouse.down()
        page.mouse.move(x - 40 + 12 * number, y + 20, steps=8)
        page.mouse.up()
        page.wait_for_function("window.stroke.volume > 0 && window.stroke.picture > 0")
        took = page.evaluate("[stroke.picture - stroke.up, stroke.volume - stroke.up]")
        pictures.append(took[0])
        volumes.append(took[1])
        page.evaluate("window.stroke.up = 0")
    page.keyboard.press("Escape")
    return pictures, volumes


@contextmanager
def asked(address):
    """Milliseconds of each answer of the server, which is asked again and again from elsewhere."""
    place, took, ended = urlsplit(address), [], threading.Event()

    def ask():
        while not ended.wait(0.005):
            began = time.monotonic()
            line = HTTPConnection(place.hostname, place.port)
            line.request("GET", "/")
            line.getresponse().read()
            line.close()
            took.append(1000 * (time.monotonic() - began))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield took
    finally:
        ended.set()
        asker.join()


def marks(page, address):
    """Seconds to each proposal, and milliseconds of the server's answers until then."""
    box = page.locator(".image-display-area").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("m")
    page.wait_for_selector("#mark.v-btn--active")
    page.evaluate(PROPOSED)
    proposed, answers = [], []
    for number in range(MARKS):
        page.wait_for_timeout(3000)
        page.mouse.move(x - 60 + 12 * number, y - 40)
        page.mouse.down()
        page.mouse.move(x - 50 + 12 * number, y, steps=8)
        with asked(address) as took:
            page.mouse.up()
            page.wait_for_function("window.mark.proposed > 0")
        proposed.append(page.evaluate("(mark.proposed - mark.up) / 1000"))
        answers.append(took)
        page.click("#drop-mark")
        page.wait_for_selector("#take-mark", state="detached")
    return proposed, answers


def main():
    """Parse the arguments, start the app, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--browser", default=shutil.which("chromium"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as started:
        case = Path(place) / "scans" / "large"
        case.mkdir(parents=True)
        if options.scan:
            shutil.copy(options.scan, case / "ct.nii.gz")
        else:
            table = load_bundle(default_store().find("abdomen-ct-mr")).card.table
            write_volume(next(scans("ct", table))[1], case / "ct.nii.gz")
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = started.chromium.launch(executable_path=options.browser, args=arguments)
        with served(case.parent) as (server, address, _printed):
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.set_default_timeout(PATIENCE)
            page.goto(address)
            page.click(".case")
            told, whole = progress(page)
            page.click("#to-review")
            page.wait_for_timeout(5000)
            wheel, wheel_paid = paid(server, lambda: scroll(page, WHEELS))
            (pictures, volumes), stroke_paid = paid(server, lambda: strokes(page))
            with asked(address) as idle:
                page.wait_for_timeout(3000)
            proposed, answers = marks(page, address)
            waited, report_paid = paid(server, lambda: report(page))
            page.close()
        browser.close()
    print("| what | | processor |\n|---|---|---|")
    for what, took, each in (
        (f"stroke to picture, median of {STROKES}", pictures, ""),
        (f"stroke to volume, median of {STROKES}", volumes, 1000 * stroke_paid / STROKES),
        (f"wheel to picture, median of {WHEELS}", wheel, 1000 * wheel_paid / WHEELS),
    ):
        cost = f"{each:.0f} ms" if each else ""
        print(f"| {what} | {statistics.median(took):.0f} ms | {cost} |")
    print(f"| first mark to its proposal | {proposed[0]:.2f} s | |")
    middle = statistics.median(proposed[1:])
    print(f"| mark to its proposal, median of {MARKS - 1} | {middle:.2f} s | |")
    print(f"| at worst | {max(proposed[1:]):.2f} s | |")
    for what, found in (("nothing goes on", [idle]), ("a proposal is made", answers[1:])):
        every = [value for one in found for value in one]
        middle, worst = statistics.median(every), max(every)
        print(f"| answer while {what}, median of {len(every)} | {middle:.0f} ms | |")
        print(f"| at worst | {worst:.0f} ms | |")
    print(f"| report | {waited:.1f} s | {report_paid:.1f} s |")
    print(f"| segmentation | {whole:.1f} s | |")
    for fifth in range(1, 5):
        at = whole * fifth / 5
        second, percent, line = [(0.0, 0, "nothing yet"), *(r for r in told if r[0] <= at)][-1]
        print(f"| progress at {20 * fifth} % of that | {percent} % ({second:.0f} s: {line}) | |")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{os.cpu_count()} cores; load over 1, 5 and 15 minutes: {load}")


if __name__ == "__main__":
    main()
