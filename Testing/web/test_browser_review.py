"""The review in a real browser as a reader works in it: views, both scans, list, verdict."""

import re
from io import BytesIO
from itertools import pairwise

import numpy as np
import psutil
import pytest
from browser_app import (
    NAMES,
    drag,
    ml,
    segmented,
    until,
    use_fruit,
)
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import read_volume, write_volume
from PIL import Image

LEFT, RIGHT = np.array([520.0, 300.0]), np.array([990.0, 300.0])  # in both views, at 1280 x 720
# Every line of the progress bar, and the milliseconds at which it came; "" is the end.
WATCH = """() => {
  const told = window.told = [];
  const look = () => {
    const line = document.getElementById('progress-line');
    const text = line ? line.innerText : '';
    if (text ? !told.length || told.at(-1)[1] !== text : told.length && told.at(-1)[1])
      told.push([performance.now(), text]);
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.fixture(scope="module", autouse=True)
def fruit(page):
    use_fruit(page)


def view(page, number):
    """What a view shows between its letters."""
    box = page.locator(".image-display-area").nth(number).bounding_box()
    clip = {"x": box["x"] + 60, "y": box["y"] + 60, "width": box["width"] - 120, "height": 400}
    return np.asarray(Image.open(BytesIO(page.screenshot(clip=clip))).convert("L"), int)


def told(page, number, what):
    """One of the things that stand below a view: its slice, its window, the value."""
    return page.inner_text(f"#told-{number}").split(" · ")[what]


def scale(page, number):
    """Millimetres of a pixel, as the bar tells."""
    bar = page.locator(f"#scale-{number}")
    return float(bar.inner_text().split()[0]) / bar.bounding_box()["width"]


def processor(app):
    """Seconds of processor time of the server and its workers."""
    server = psutil.Process(app.process.pid)
    times = [p.cpu_times() for p in (server, *server.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def accepted(page):
    """Accept, whatever was not looked at."""
    page.click("#accept:not([disabled])")

    anyway = page.locator("#accept-anyway")  # may come after the reason of before has gone

    def is_kept():
        told = page.locator("#accept-why").all_inner_texts()
        return any("in the queue already" in why for why in told)

    until(page, lambda: anyway.count() or is_kept())
    if anyway.count():
        anyway.click()
    until(page, is_kept)


def settled(page):
    """Nothing moves any more."""
    before, shown = None, page.screenshot()
    while shown != before:
        page.wait_for_timeout(500)
        before, shown = shown, page.screenshot()


def test_progress_neither_stands_at_its_end_nor_promises_what_is_not_so(page):
    segmented(page)  # what a part takes is known from then on
    page.evaluate(WATCH)
    segmented(page)
    told = page.evaluate("told")
    end = told[-1][0]
    per_cent = [int(line.split("%")[0]) for _, line in told[:-1]]
    assert per_cent == sorted(per_cent)
    assert per_cent[-1] < 100
    for (at, line), (until_then, _) in pairwise(told):
        left = re.search(r"about (\d+) s left", line)
        if left:
            assert until_then - at < 5000 + 1000 * int(left[1]), line
            assert end - at < 10_000 + 3000 * int(left[1]), line


def test_a_segmentation_uses_the_device_and_the_overlap_that_were_chosen(page, app):
    def cost():
        before = processor(app)
        segmented(page)
        return processor(app) - before

    page.click("#more summary")
    page.select_option("#align", "none")  # it would cost as much as the network does
    costs = []
    for key, percent in (("End", 90), ("Home", 0)):
        page.locator("#more [role=slider]").press(key)
        page.wait_for_selector(f"text=Windows overlap by {percent} %")
        costs.append(cost())
    assert costs[0] > 1.8 * costs[1]
    page.select_option("#align", "auto")
    page.select_option("#memory", "stop")
    page.select_option("#device", "mps")  # no computer that runs this has one
    until(page, lambda: "The device mps is not there" in page.inner_text("#notice"))
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#segment:not([disabled])")
    assert "The device mps is not there" in page.inner_text("#notice")
    page.select_option("#device", "cpu")
    segmented(page)
    page.reload()
    page.wait_for_selector("#to-review")
    assert page.input_value("#device") == "cpu"
    assert page.input_value("#memory") == "stop"


def test_nothing_is_drawn_on_a_result_that_is_being_replaced(page):
    page.keyboard.press("m")
    page.wait_for_selector("#mark.v-btn--active", state="attached")
    page.locator("#more [role=slider]").press("End")  # it takes longer
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#cancel")
    for key in ("b", "m"):
        page.keyboard.press(key)
        page.wait_for_selector("#notice:has-text('There is nothing to correct yet')")
        page.click("#notice .v-alert__close button")
        page.wait_for_selector("#notice", state="detached")
    assert page.locator("#cancel").count() == 1
    page.wait_for_selector("#segment:not([disabled])")
    page.locator("#more [role=slider]").press("Home")
    assert page.locator("#tool-none.v-btn--active").count() == 1
    assert page.locator("#mark.v-btn--active").count() == 0


def test_the_next_doubt_takes_its_scan_in_hand_and_comes_close(page):
    page.click("#to-review")
    wide = scale(page, 0)
    page.keyboard.press("n")
    page.wait_for_selector("#ring-0")
    page.click("#places summary")
    scan = page.locator(".place-row .chosen").inner_text().split(":")[0]
    page.click("#places summary")
    assert page.locator(".v-btn-toggle .v-btn--active", has_text=scan).count() == 1
    assert scale(page, 0) < wide


def test_mouse_and_pointer_work_in_both_views_as_in_any_viewer(page):
    page.mouse.move(*LEFT)
    until(page, lambda: page.locator("#cross-1").count() == 1)  # the same place in the other scan
    assert re.fullmatch(r"-?\d+", told(page, 0, 3))  # the value there
    settled(page)
    for button, change in (("left", (60, 0)), ("right", (0, 60))):  # moves, zooms
        before = view(page, 0), view(page, 1)
        page.mouse.move(*LEFT)
        page.mouse.down(button=button)
        page.mouse.move(*(LEFT + change), steps=6)
        page.mouse.up(button=button)
        for number in (0, 1):
            until(page, lambda n=number: np.abs(view(page, n) - before[n]).mean() > 1)  # noqa: B023
        until(page, lambda: scale(page, 0) == pytest.approx(scale(page, 1), rel=0.01))
    other = told(page, 1, 2)
    page.keyboard.press("w")
    page.wait_for_selector("#tool-window.v-btn--active")
    drag(page, LEFT, LEFT + 40)
    until(page, lambda: told(page, 0, 2) != "W 400 L 40")
    assert told(page, 1, 2) == other
    page.keyboard.press("Escape")


def test_in_3d_and_back_the_views_keep_their_place_and_how_close_they_are(page):
    settled(page)
    flat = [(told(page, n, 0), told(page, n, 1), scale(page, n)) for n in (0, 1)]
    before = view(page, 0)
    page.click("#solid")
    until(page, lambda: page.locator(".image-display-area").count() == 3)
    settled(page)
    assert view(page, 2).std() > 5  # the organs
    for number, (slice_line, mm, close) in enumerate(flat):
        assert (told(page, number, 0), told(page, number, 1)) == (slice_line, mm)
        assert scale(page, number) == pytest.approx(close, rel=0.01)
    page.click("#solid")
    until(page, lambda: page.locator(".image-display-area").count() == 2)
    settled(page)
    assert [(told(page, n, 0), told(page, n, 1)) for n in (0, 1)] == [f[:2] for f in flat]
    assert np.abs(view(page, 0) - before).mean() < 1


def test_an_organ_is_copied_to_the_other_scan_and_that_is_undone(page):
    page.keyboard.press("1")
    page.keyboard.press("e")
    page.wait_for_selector("#tool-erase.v-btn--active")
    drag(page, LEFT - 60, LEFT + 20)
    until(page, lambda: "CT: apple" in page.inner_text("#changes"))
    page.keyboard.press("Escape")
    page.click("#copy")
    until(page, lambda: "MR: apple" in page.inner_text("#changes"))
    line = page.inner_text("#changes")
    assert all(line.count(f"{scan}: apple") == 1 for scan in ("CT", "MR"))
    page.click("#undo")
    until(page, lambda: "MR: apple" not in page.inner_text("#changes"))
    assert "CT: apple" in page.inner_text("#changes")


def test_the_report_is_opened_and_says_what_a_hand_changed(page):
    page.click("#review-report")
    page.wait_for_selector("#review-report-link")
    with page.context.expect_page() as opened:
        page.click("#review-report-link")
    told = opened.value
    told.wait_for_load_state()
    assert "Corrected by hand in the CT: apple" in told.inner_text("body")
    told.close()


def test_space_presses_the_button_that_the_keyboard_is_on(page):
    page.focus("#show-doubt")
    page.keyboard.press(" ")
    page.wait_for_selector("#legend")
    page.keyboard.press(" ")
    page.wait_for_selector("#legend", state="detached")


def test_a_second_window_is_told_in_the_pages_own_style(page, app, browser):
    second = browser.new_page()
    second.goto(app.address)
    assert "window" in second.inner_text("body")
    style = "getComputedStyle(document.body).fontFamily"
    assert "sans-serif" in second.evaluate(style)
    second.close()
    assert page.locator("#accept").count() == 1


def test_after_accepting_the_next_case_is_a_click_away_and_the_accepted_one_opens_as_drawn(page):
    drawn, place = ml(page, NAMES[0]), page.inner_text("#place")
    page.keyboard.press("a")
    page.click("#look-on")  # what was not looked at is told, and shown
    page.wait_for_selector("#unseen", state="detached")
    until(page, lambda: page.inner_text("#place") != place)
    page.keyboard.press("p")
    until(page, lambda: page.inner_text("#place") == place)
    assert page.locator("#accepted").count() == 0
    accepted(page)
    page.wait_for_selector("#accepted")
    assert "in the queue already" in page.inner_text("#accept-why")  # why Accept rests
    page.click("#next-case")
    until(page, lambda: "CT of bob" in page.locator(".v-select").first.inner_text())
    page.click("#step-cases")
    assert page.locator(".case", has_text="ann").locator(".v-chip").inner_text() == "accepted"
    page.locator(".case", has_text="ann").click()
    page.wait_for_selector("#accepted")
    until(page, lambda: ml(page, NAMES[0]) == drawn)


def test_the_model_says_which_case_to_correct_first_and_the_list_opens_it(page):
    page.click("#step-cases")
    page.click("#ask-which:not([disabled])")
    page.click("#next-of-list")
    until(page, lambda: "CT of bob" in page.locator(".v-select").first.inner_text())
    page.wait_for_selector("#to-review")  # it is segmented on the way


def test_a_label_that_looks_like_a_mistake_is_told_when_it_is_accepted(page):
    page.click("#step-review")
    page.keyboard.press("2")
    page.click("#tool-threshold")
    page.wait_for_selector("#tool-threshold.v-btn--active")  # its range has come
    ends = page.get_by_role("slider", name="Values that Threshold fills")
    lowest, highest = (ends.first.get_attribute(f"aria-value{end}") for end in ("min", "max"))
    ends.first.press("Home")
    ends.last.press("End")  # at once: neither end is lost while the server answers
    until(page, lambda: page.inner_text("#threshold-range") == f"{lowest} to {highest}")
    page.click("text=Fill the range")
    until(page, lambda: ml(page, NAMES[0]) == 0)  # the whole scan is called a pear
    page.keyboard.press("Escape")
    accepted(page)
    mistake = "This looks like a mistake (CT: the apple was emptied), and is not learned from."
    assert page.inner_text("#mistakes").startswith(mistake)


def test_a_case_is_segmented_while_a_model_learns_and_nobody_is_pulled_to_the_verdict(page):
    page.click("#step-learn")
    page.fill("#minutes", "0.02")
    page.click("#fine-tune:not([disabled])")
    page.wait_for_selector("#cancel-tuning")
    page.click("#step-segment")
    segmented(page)
    until(page, lambda: page.locator("#verdict").count() == 1)
    assert page.locator("#step-segment.v-tab--selected").count() == 1


def test_the_verdict_says_what_it_is_and_offers_first_what_it_speaks_for(page):
    page.click("#step-learn")
    assert page.inner_text("#verdict h3") == "There is not enough evidence yet."
    assert "/" not in page.inner_text("#verdict > p")  # no path
    assert page.locator(".fault span").first.inner_text() == "bob: In the CT the apple was emptied."
    solid = page.locator("#verdict .v-btn.bg-primary")
    assert solid.all_inner_texts() == ["Keep the old one"]


def test_a_mistake_is_opened_from_the_verdict_mended_and_accepted_again(page):
    page.click(".fault button")
    page.wait_for_selector("#accepted")
    page.keyboard.press("1")
    page.click("#restore")
    until(page, lambda: ml(page, NAMES[1]) == 0)
    accepted(page)
    assert page.inner_text("#accepted").endswith(".r2.")
    assert page.locator("#mistakes").count() == 0
    page.click("#step-learn")
    page.click("#keep")
    page.wait_for_selector("#verdict", state="detached")


def test_the_old_models_result_stands_beside_the_new_ones_for_either_scan(page):
    page.click("#fine-tune:not([disabled])")
    page.wait_for_selector("#cancel-tuning")
    page.wait_for_selector("#verdict")
    assert page.locator(".fault").count() == 0
    own = [page.locator(".corner").nth(n).inner_text() for n in (0, 1)]
    page.click("#look-both")
    page.wait_for_selector("#back-to-mine")
    corners = page.locator(".corner")
    until(page, lambda: corners.nth(0).inner_text() == "the model in use")
    assert corners.nth(1).inner_text() == "the new model"
    settled(page)
    shown = view(page, 0)
    page.click("#verdict .v-btn-toggle >> text=MR")
    until(page, lambda: np.abs(view(page, 0) - shown).mean() > 1)
    page.keyboard.press("b")
    until(page, lambda: "Two models are compared" in page.inner_text("#notice"))
    page.click("#back-to-mine")
    until(page, lambda: corners.nth(0).inner_text() == own[0])
    assert corners.nth(1).inner_text() == own[1]
    page.click("#keep")


def test_a_model_gets_room_for_a_new_organ_which_is_drawn(page):
    page.click("#step-models")
    page.click("#new-organ summary")
    page.fill("#organ-name", "kiwi")
    page.click("#make-room")
    card = page.locator(".v-card", has_text="kiwi")
    card.locator("button[disabled]", has_text="Use it").wait_for()  # it is chosen
    page.click("#step-segment")
    segmented(page)
    page.click("#to-review")
    assert ml(page, "kiwi") == 0
    page.keyboard.press("5")
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    drag(page, LEFT - 60, LEFT + 20)
    until(page, lambda: ml(page, "kiwi") > 0.5)
    page.keyboard.press("Escape")


def test_scans_without_common_coordinates_are_each_shown_and_drawn_in(page, app, tmp_path):
    for role in ("ct", "mr"):
        scan = read_volume(app.folder / "bob" / f"{role}.nii.gz")
        affine = scan.grid.affine.copy()
        affine[0, 3] += 1500 * (role == "mr")
        grid = Grid(shape=scan.grid.shape, affine=affine)
        write_volume(Volume(array=scan.array, grid=grid), tmp_path / f"cat_{role}.nii.gz")
    page.click("#step-cases")
    page.set_input_files("#cmcseg-files", sorted(tmp_path.iterdir()))
    until(page, lambda: "cat" in page.locator(".v-select").first.inner_text())

    def both_are_shown():
        return all(view(page, number).std() > 10 for number in (0, 1))

    until(page, both_are_shown)
    page.click("#more summary")
    page.select_option("#align", "rigid")
    segmented(page)
    page.click("#to-review")
    until(page, both_are_shown)
    page.keyboard.press("1")
    page.keyboard.press("e")
    page.wait_for_selector("#tool-erase.v-btn--active")
    drag(page, RIGHT - 40, RIGHT + 40)
    until(page, lambda: page.inner_text("#changes").startswith("Changed: MR: apple"))
