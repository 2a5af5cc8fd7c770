"""The pictures of the browser app in Resources/Screenshots, taken from the app itself.

    python bench/browser_pictures.py [--out FOLDER] [--browser PATH]

Makes the sample pair, segments it with the shipped model, goes through the pages and takes a
picture of each. Needs the extra 'test' and a Chromium.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SIZE = {"width": 1280, "height": 720}
PATIENCE = 300_000  # ms


def main():
    """Parse the arguments, start the app, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--out", type=Path, default=here / "Resources" / "Screenshots")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        log = Path(folder) / "web.log"
        with log.open("w") as file:
            app = subprocess.Popen(
                [sys.executable, "-m", "cmcseg", "web", folder, "--port", "0", "--no-open"],
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            browser = started.chromium.launch(
                executable_path=arguments.browser, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(PATIENCE)
            page.goto(address(log))
            walk(page, arguments.out)
            browser.close()
        finally:
            app.terminate()
            app.wait(20)


def address(log: Path) -> str:
    """Where the app says that it is."""
    while "CMCSeg: http" not in (text := log.read_text()):
        time.sleep(0.2)
    return text.split("CMCSeg: ")[1].split()[0]


def walk(page: Page, out: Path) -> None:
    """From the list of cases to the models."""
    page.click(".sample")
    page.wait_for_selector("#segment:not([disabled])")
    page.click("#step-cases")
    page.wait_for_selector(".case img")
    taken(page, out / "browser-cases.png")
    page.click("#step-segment")
    page.click("#segment")
    page.wait_for_selector("#to-review")
    taken(page, out / "browser-segment.png")
    page.click("#to-review")
    page.keyboard.press("n")
    page.wait_for_selector("#ring-0")
    page.keyboard.press("f")
    page.wait_for_selector("#place:has-text('2 of')")
    page.click("#places summary")
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    taken(page, out / "browser-review.png")
    page.keyboard.press("Escape")
    page.click("#places summary")
    page.click("#accept:not([disabled])")
    page.locator("#accept-anyway, #accepted").first.wait_for()
    if page.locator("#accept-anyway").count():  # not every place was looked at
        page.click("#accept-anyway")
    page.wait_for_selector("#accepted")
    page.click("#step-learn")
    taken(page, out / "browser-learn.png")
    page.click("#step-models")
    page.click("#theme")
    taken(page, out / "browser-models-dark.png")


def taken(page: Page, path: Path) -> None:
    """Take a picture once nothing changes any more: views draw after the page has answered."""
    page.mouse.move(5, 400)
    before, shown = b"", page.screenshot()
    while shown != before:
        page.wait_for_timeout(3000)
        before, shown = shown, page.screenshot()
    Image.open(BytesIO(shown)).convert("RGB").save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
