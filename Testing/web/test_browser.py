"""The whole app in a real browser, with real mouse and keys, on a model of few weights."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import psutil
import pytest
from browser_app import (
    NAMES,
    drag,
    ml,
    no_button_is_cut_off,
    nothing_serious,
    picture,
    segmented,
    until,
    use_fruit,
)
from cmcseg.web.page import STEPS
from tiny import tiny_card

PLANES_OF_CT = ("CT Axial", "CT Coronal", "CT Sagittal")


def test_a_case_of_the_folder_is_opened_by_a_click(page):
    page.wait_for_selector(".case")
    page.wait_for_selector(".case img")
    assert page.locator(".case").all_inner_texts()[0].split("\n")[:2] == ["ann", "CT + MR"]
    before = picture(page)
    use_fruit(page)
    until(page, lambda: np.abs(picture(page) - before).mean() > 2)


def test_segment_shows_progress_and_then_colours_the_organs_in_both_scans(page):
    grey = picture(page)
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#cancel")
    until(page, lambda: page.locator("#to-review").count() == 1)
    rows = page.locator(".result tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == list(NAMES)
    assert re.search(r"; confidence \d+%\.$", page.inner_text("#aligned"))
    until(page, lambda: np.abs(picture(page) - grey).max(axis=-1).mean() > 5)
    page.keyboard.down(" ")
    until(page, lambda: np.abs(picture(page) - grey).mean() < 1)  # the scan itself
    page.keyboard.up(" ")
    until(page, lambda: np.abs(picture(page) - grey).max(axis=-1).mean() > 5)


@pytest.mark.parametrize("size", [(1000, 700), (1920, 1080), (1280, 720)])
def test_no_control_below_the_views_is_cut_off(page, size):
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(500)
    no_button_is_cut_off(page)


def test_next_doubt_moves_the_views(page):
    page.click("#to-review")
    before = picture(page)
    assert "to look at" in page.inner_text("#place") or "No place" in page.inner_text("#place")
    if "No place" not in page.inner_text("#place"):
        page.keyboard.press("n")
        until(page, lambda: page.inner_text("#place").startswith("1 of"))
        page.wait_for_selector("#ring-0")
        organ = page.inner_text("#place").split(": ")[1].split(",")[0]
        assert page.locator(".organ.chosen").inner_text().startswith(organ)
        until(page, lambda: np.abs(picture(page) - before).mean() > 0.5)


def test_the_list_of_places_is_narrowed_and_what_is_fine_is_marked(page):
    page.click("#places summary")
    rows = page.locator(".place-row")
    assert rows.locator("visible=true").count() == rows.count()
    page.keyboard.press("f")
    page.wait_for_selector(".place-row .fine.v-btn--active")
    assert re.match(r"[1-9]\d* of \d+ places seen", page.locator("#places summary").inner_text())
    page.select_option("#filter", "open")
    until(page, lambda: rows.first.is_hidden())
    page.select_option("#filter", "all")
    until(page, lambda: rows.first.is_visible())
    page.click("#places summary")


def test_the_brush_leaves_other_organs_and_other_values_alone_where_it_is_told_to(page):
    def painted():
        drag(page, (520, 250), (600, 330))
        page.wait_for_timeout(1500)
        return ml(page, NAMES[1])

    before = ml(page, NAMES[1])
    page.keyboard.press("2")
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    page.keyboard.press("]")
    until(page, lambda: page.inner_text(".unit") == "11 mm")
    page.keyboard.press("[")
    until(page, lambda: page.inner_text(".unit") == "10 mm")
    page.check("#keep-others")  # apples are everywhere
    assert painted() == before
    page.uncheck("#keep-others")
    page.check("#by-value")
    page.locator("#values [role=slider]").first.press("End")  # only the brightest voxel
    few = painted()
    page.uncheck("#by-value")
    until(page, lambda: painted() > few + 1)
    assert few < before + 0.1
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    while page.locator("#undo:not([disabled])").count():
        page.keyboard.press("z")
        page.wait_for_timeout(500)
    until(page, lambda: ml(page, NAMES[1]) == before)
    page.click("#fill")
    until(page, lambda: "The apple misses no slice" in page.inner_text("#notice"))


def test_the_brush_changes_the_volume_and_undo_brings_it_back(page):
    page.keyboard.press("1")
    before = ml(page, NAMES[0])
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    page.keyboard.press("e")
    page.wait_for_selector("#tool-erase.v-btn--active")
    drag(page, (520, 250), (600, 330))
    until(page, lambda: ml(page, NAMES[0]) < before - 1)
    page.keyboard.press("z")
    until(page, lambda: ml(page, NAMES[0]) == before)
    page.keyboard.press("Shift+Z")
    until(page, lambda: ml(page, NAMES[0]) < before - 1)
    page.keyboard.press("Escape")


def test_a_stroke_goes_into_the_scan_under_the_pointer_and_one_history_holds_both(page):
    page.keyboard.press("1")
    page.keyboard.press("e")
    page.wait_for_selector("#tool-erase.v-btn--active")
    drag(page, (950, 250), (1030, 330))
    until(page, lambda: "MR: apple" in page.inner_text("#changes"))
    assert "CT: apple" in page.inner_text("#changes")  # of the test before
    page.click("#undo")
    until(page, lambda: "MR: apple" not in page.inner_text("#changes"))
    page.click("#undo")
    until(page, lambda: page.inner_text("#changes") == "")
    page.click("#redo")
    until(page, lambda: "CT: apple" in page.inner_text("#changes"))
    page.keyboard.press("Escape")


def test_a_mark_proposes_escape_drops_it_and_enter_takes_it_as_one_step(page):
    page.click("#step-review")
    page.keyboard.press("1")
    page.click("#undo")  # what the test before has drawn where this one marks
    until(page, lambda: page.inner_text("#changes") == "")
    page.keyboard.press("b")
    page.keyboard.press("Shift+M")
    page.wait_for_selector("#mark-not.v-btn--active")
    assert page.locator("#tool-brush.v-btn--active").count() == 0
    bare = picture(page)
    drag(page, (520, 250), (600, 330))
    page.wait_for_selector("#take-mark")
    assert page.inner_text("#mark-line").startswith("Proposed: apple in the CT")
    until(page, lambda: (np.abs(picture(page) - bare).max(axis=-1) > 40).sum() > 50)  # its border
    page.wait_for_selector(".v-btn-toggle .v-btn--active:has-text('CT')")
    page.wait_for_timeout(1000)  # the stroke took the CT in hand; its volumes follow
    before = ml(page, NAMES[0])
    page.keyboard.press("Escape")
    page.wait_for_selector("#take-mark", state="detached")
    assert ml(page, NAMES[0]) == before
    drag(page, (520, 250), (600, 330))
    page.wait_for_selector("#take-mark")
    page.keyboard.press("Enter")
    until(page, lambda: ml(page, NAMES[0]) < before)
    page.wait_for_selector("#take-mark", state="detached")
    page.keyboard.press("z")
    until(page, lambda: ml(page, NAMES[0]) == before)
    page.keyboard.press("Shift+Z")  # what comes next finds something drawn
    until(page, lambda: ml(page, NAMES[0]) < before)


def test_a_mark_beside_the_scan_is_told_and_the_pen_stays_until_escape(page):
    drag(page, (500, 66), (560, 66))
    until(page, lambda: "The stroke lies outside the CT" in page.inner_text("#notice"))
    page.wait_for_selector("#mark-not.v-btn--active")
    page.keyboard.press("Escape")
    page.wait_for_selector("#mark-not:not(.v-btn--active)")


def test_no_key_of_vtk_works(page, app):
    page.mouse.move(520, 250)
    page.mouse.click(520, 250)
    for key in ("q", "3", "e", "Escape", "w", "Escape", "s", "f"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert app.process.poll() is None
    shown = picture(page)
    assert np.abs(shown[..., 0] - shown[..., 2]).mean() < 60  # no red-blue picture


def test_every_view_tells_sides_slice_scale_and_window(page):
    told = page.inner_text("#told-0")
    assert re.search(r"slice \d+ of \d+ · [RLAPSI] \d+\.\d mm · W 400 L 40", told)
    assert page.locator(".letter.left").first.inner_text() == "R"
    assert page.inner_text("#scale-0").endswith("mm")
    page.click("#windows")
    page.click("#window-bone")
    until(page, lambda: "W 2000 L 350" in page.inner_text("#told-0"))
    page.click("#windows")
    page.click("#window-soft-tissue")
    until(page, lambda: "W 400 L 40" in page.inner_text("#told-0"))


def test_a_line_is_measured_in_millimetres(page):
    page.keyboard.press("r")
    page.wait_for_selector("#tool-measure.v-btn--active")
    drag(page, (480, 250), (580, 250))
    until(page, lambda: page.locator("#length-0").count() == 1)
    page.wait_for_timeout(500)
    scale, bar = page.inner_text("#scale-0").split()[0], page.locator("#scale-0").bounding_box()
    wanted = 100 * float(scale) / bar["width"]
    assert float(page.inner_text("#length-0").split()[0]) == pytest.approx(wanted, rel=0.05)
    page.keyboard.press("Escape")
    page.wait_for_selector("#length-0", state="detached")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tool-none.v-btn--active")


def test_a_double_click_lets_one_view_fill_the_page(page):
    page.mouse.dblclick(520, 300)
    until(page, lambda: page.locator("[data-view]").locator("visible=true").count() == 1)
    page.mouse.dblclick(520, 300)
    page.wait_for_selector("#told-1")


def test_threshold_starts_with_what_the_organ_holds_and_doubt_has_a_legend(page):
    page.keyboard.press("1")
    page.click("#tool-threshold")
    page.wait_for_selector("#tool-threshold.v-btn--active")
    low, high = (float(n) for n in page.locator("#threshold-range").inner_text().split(" to "))
    assert -1100 <= low < high <= 300  # 5 to 95 % of the organ, of a range up to 300
    page.get_by_role("slider", name="Values that Threshold fills").last.press("End")
    until(page, lambda: page.inner_text("#threshold-range") != f"{low:g} to {high:g}")
    mine = page.inner_text("#threshold-range")
    page.keyboard.press("2")
    until(page, lambda: page.inner_text("#threshold-range") != mine)
    page.keyboard.press("1")  # who comes back to an organ finds the range as it was left
    until(page, lambda: page.inner_text("#threshold-range") == mine)
    page.keyboard.press("Escape")
    page.click("#show-doubt")
    assert page.inner_text("#legend").split() == ["sure", "unsure"]
    page.click("#show-doubt")
    page.wait_for_selector("#legend", state="detached")


def test_fit_a_plane_and_3d_keep_the_place(page):
    def place():
        return page.inner_text("#told-0").split(" · ")[1]

    first = place()
    page.mouse.move(520, 250)
    page.mouse.wheel(0, 240)
    until(page, lambda: place() != first)
    before = place()
    page.locator("button[title='Fit']").click()
    page.click("text=Coronal")
    until(page, lambda: place()[0] in "AP")
    page.click("text=Axial")
    until(page, lambda: place()[0] in "IS")
    assert place() == before


def test_a_server_that_answers_again_brings_the_page_back(page):
    page.route("**/here", lambda route: route.abort())
    page.wait_for_selector("#gone")
    assert page.inner_text("#gone").count(".") == 1  # one sentence
    page.unroute("**/here")
    page.wait_for_selector("#gone", state="detached")
    page.wait_for_selector("#accept")


def test_the_tools_work_beside_the_organs_in_3d(page):
    page.click("#solid")
    page.wait_for_selector("#solid.v-btn--active")
    page.keyboard.press("b")
    page.wait_for_selector("#tool-brush.v-btn--active")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tool-none.v-btn--active")
    page.click("#solid")
    page.wait_for_selector("#solid:not(.v-btn--active)")
    assert page.locator("#notice").count() == 0


def test_the_draft_is_there_after_the_server_was_killed(page, app):
    drawn = ml(page, NAMES[0])
    until(page, lambda: any(app.folder.glob(".cmcseg/drafts/ann/drawn.npz")))
    until(page, lambda: re.fullmatch(r"Saved at \d\d:\d\d", page.inner_text("#saved")))
    app.kill()
    gone = page.locator("#gone")
    gone.wait_for()
    page.wait_for_timeout(500)  # trame takes the page away, and its style sheet with it
    size = page.viewport_size
    assert gone.bounding_box() == {"x": 0, "y": 0, **size}
    text = page.evaluate(
        "() => { const r = document.createRange(); r.selectNodeContents("
        "document.getElementById('gone')); const b = r.getBoundingClientRect(); "
        "return [b.x + b.width / 2, b.y + b.height / 2]; }"
    )
    assert text == pytest.approx([size["width"] / 2, size["height"] / 2], abs=20)
    app.start()
    page.goto(app.address)
    page.wait_for_selector(".case")
    page.locator(".case").first.click()
    page.click("#take-draft")
    page.wait_for_selector("#accept")
    until(page, lambda: ml(page, NAMES[0]) == drawn)
    page.click("#restore")
    until(page, lambda: ml(page, NAMES[0]) > drawn)
    page.click("#undo")
    until(page, lambda: ml(page, NAMES[0]) == drawn)


def test_accept_puts_an_entry_on_the_disk(page, app):
    page.click("#accept:not([disabled])")
    page.wait_for_selector("#unseen")
    assert re.match(r"\d+ of \d+ places were not looked at", page.inner_text("#unseen"))
    page.click("#accept-anyway")
    page.wait_for_selector("#accepted")
    entry = page.inner_text("#accepted").split(" as ")[1].strip(".")
    assert (app.folder / "queue" / "entries" / entry).is_dir()
    assert json.loads((app.folder / ".cmcseg/cases/ann.json").read_text())["accepted"] == entry
    page.keyboard.press("a")  # it is there already
    until(page, lambda: "in the queue already" in page.inner_text("#notice"))
    assert len(list((app.folder / "queue" / "entries").iterdir())) == 1
    page.click("#step-learn")
    until(page, lambda: page.inner_text("#queue-line").startswith("1 pair in the queue"))


def test_an_accepted_pair_is_taken_back_and_accepted_again(page, app):
    page.click("#step-review")
    page.click("#take-back")
    until(page, lambda: page.locator("#accepted").count() == 0)
    assert not list((app.folder / "queue" / "entries").iterdir())
    page.click("#accept:not([disabled])")
    page.click("#accept-anyway")
    page.wait_for_selector("#accepted")
    page.click("#step-learn")
    until(page, lambda: page.inner_text("#queue-line").startswith("1 pair in the queue"))


def test_a_pair_of_the_queue_has_a_name_is_opened_taken_out_brought_back_and_exported(page, app):
    assert page.locator(".queue tbody tr td").first.inner_text() == "ann"
    page.click(".remove-entry")
    until(page, lambda: page.locator(".queue").count() == 0)
    page.click(".restore-entry")
    page.wait_for_selector(".open-entry")
    page.click("#export-queue")
    page.wait_for_selector("#queue-zip")
    with zipfile.ZipFile(app.folder / ".cmcseg" / "exports" / "queue.zip") as archive:
        assert "datalist.json" in archive.namelist()
    until(page, lambda: page.locator(".queue tbody tr td").first.inner_text() == "ann")
    page.click(".open-entry")
    page.wait_for_selector("#accepted")


def test_what_is_taken_out_is_what_was_drawn(page, app):
    page.click("#step-review")
    drawn = ml(page, NAMES[0])
    page.click("#step-segment")
    page.click("#segment-archive")
    page.wait_for_selector("#segment-zip")
    path = app.folder / ".cmcseg" / "exports" / "ann.zip"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        table = archive.read("volumes.csv").decode()
        report = archive.read("report.html").decode()
    assert {"ct_labels.nii.gz", "mr.seg.nrrd", "volumes.csv", "report.html"} <= names
    row = next(line for line in table.splitlines() if line.startswith(f"ct,{NAMES[0]},"))
    assert float(row.split(",")[2]) == pytest.approx(drawn, abs=0.06)
    assert "Corrected by hand in the CT: apple" in report
    page.click("#step-learn")


def test_fine_tune_adopt_and_roll_back(page, app):
    page.fill("#minutes", "0.02")
    page.click("#fine-tune:not([disabled])")
    page.wait_for_selector("#cancel-tuning")
    page.wait_for_selector("#verdict")
    assert "not enough evidence" in page.inner_text("#verdict").lower()
    page.click("#adopt")
    until(page, lambda: "give a reason" in page.inner_text("#notice"))
    page.fill("#reason", "it is a test")
    page.click("#adopt")
    until(page, lambda: page.locator("#learn-stage").count() == 1)
    assert page.inner_text("#learn-stage") == "The new model is in use."
    assert [row["in_use"] for row in history(app)] == [False, True]
    assert history(app)[-1]["change"]["overruled_because"] == "it is a test"
    assert page.inner_text("#roll-back").strip() == "Roll back to version 0.1.0"
    page.click("#versions summary")
    page.click("[aria-label='Use version 0.1.0']")
    page.click("[aria-label='Use version 0.1.1']")  # and forth again
    page.wait_for_selector("[aria-label='Use version 0.1.0']")
    assert [row["in_use"] for row in history(app)] == [False, True]
    page.click("#roll-back:not([disabled])")
    until(page, lambda: [row["in_use"] for row in history(app)] == [True, False])


def test_after_loading_the_page_again_everything_is_as_it_was(page):
    queue = page.inner_text("#queue-line")
    page.click("#step-review")
    drawn = ml(page, NAMES[0])
    page.reload()
    page.wait_for_selector("#accept")
    assert ml(page, NAMES[0]) == drawn
    page.click("#step-learn")
    assert page.inner_text("#queue-line") == queue


def test_a_killed_worker_is_told_and_replaced(page, app):
    page.click("#step-segment")
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#cancel")
    for child in psutil.Process(app.process.pid).children(recursive=True):
        if "work" in child.cmdline():
            child.kill()
    page.wait_for_selector("#notice")
    segmented(page)


def test_a_page_that_is_closed_during_a_segmentation_loses_nothing(page, app):
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#cancel")
    page.goto("about:blank")
    page.wait_for_timeout(1000)
    page.goto(app.address)
    page.wait_for_selector("#to-review")
    page.wait_for_selector("#segment:not([disabled])")
    assert page.locator(".result tbody tr").count() == len(NAMES)


def test_a_click_on_the_open_case_keeps_its_result(page):
    page.click("#step-cases")
    page.locator(".case").first.click()
    page.wait_for_selector("#accept:not([disabled])")
    page.click("#step-segment")
    assert page.locator(".result tbody tr").count() == len(NAMES)


def test_cancel_brings_back_the_state_before(page):
    page.click("#segment:not([disabled])")
    page.click("#cancel")
    page.wait_for_selector("#segment:not([disabled])")
    assert page.locator(".result tbody tr").count() == len(NAMES)
    page.click("#step-review")
    page.keyboard.press("b")  # and it can be drawn on again
    page.wait_for_selector("#tool-brush.v-btn--active")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tool-none.v-btn--active")
    page.click("#step-segment")


def test_the_other_scan_is_shown_in_three_ways_and_where_a_hand_puts_it_is_taken(page):
    page.click("#step-review")
    last = picture(page)
    for kind in ("blend", "checkerboard", "edges"):
        page.click("#others")
        page.click(f"#other-{kind}")
        until(page, lambda: np.abs(picture(page) - last).mean() > 0.1)  # noqa: B023
        page.wait_for_timeout(500)
        last = picture(page)
    page.click("#nudge")
    page.wait_for_selector("#nudge.v-btn--active")
    drag(page, (520, 300), (560, 300))
    page.click("#step-segment")
    page.click("#more summary")
    until(page, lambda: page.input_value("#align") == "hand")
    segmented(page)
    until(page, lambda: page.inner_text("#aligned").startswith("Placed by hand: moved"))
    page.select_option("#align", "auto")
    until(page, lambda: page.locator("#align option[value=hand]").count() == 0)
    page.click("#more summary")


def test_a_role_may_stay_empty(page):
    page.locator(".v-select").nth(1).click()
    page.locator(".v-overlay .v-list-item", has_text="none").click()
    until(page, lambda: page.locator("#swap").count() == 0)  # the choice has come through
    segmented(page)
    until(page, lambda: page.locator(".result thead th").count() == 3)  # organ, CT mL, doubt
    assert page.locator("#align").count() == 0


def test_one_scan_is_shown_in_three_planes_that_move_together(page):
    page.click("#planes")
    page.wait_for_selector("#told-2")
    until(page, lambda: page.locator(".corner").all_inner_texts()[:3] == list(PLANES_OF_CT))
    page.click("#step-review")
    place = [page.inner_text(f"#told-{n}") for n in range(3)]
    page.click("#next")
    until(page, lambda: all(page.inner_text(f"#told-{n}") != place[n] for n in range(3)))
    page.click("#planes")
    page.wait_for_selector("#told-2", state="detached")
    page.click("#step-segment")


def test_a_dropped_file_that_is_no_scan_is_told(page, app):
    page.click("#step-cases")
    page.set_input_files(
        "#cmcseg-files", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    )
    until(page, lambda: "notes.txt is no scan" in page.inner_text("#notice"))
    assert sorted(path.name for path in app.folder.iterdir() if path.name[0] != ".") == [
        "ann",
        "bob",
        "queue",
    ]


def test_what_is_told_stays_in_sight_however_long_the_list(page):
    notes = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}
    page.click("#step-cases")
    page.set_input_files("#cmcseg-files", notes)
    page.wait_for_selector("#notice")
    page.set_viewport_size({"width": 1280, "height": 260})
    drawer = page.locator(".v-navigation-drawer__content")
    scrolled = drawer.evaluate("e => { e.scrollTo(0, e.scrollHeight); return e.scrollTop; }")
    told, shown = page.locator("#notice").bounding_box(), drawer.bounding_box()
    page.set_viewport_size({"width": 1280, "height": 720})
    assert scrolled > 0
    assert told["y"] >= shown["y"]


def test_a_dropped_pair_becomes_a_case_and_opens(page, app):
    shutil.move(app.folder / "ann", app.folder.parent / "ann")  # for the test after this one
    files = [app.folder / "bob" / f"{role}.nii.gz" for role in ("ct", "mr")]
    page.set_input_files("#cmcseg-files", files)
    page.wait_for_selector(".case:has-text('ct')")
    until(page, lambda: page.locator(".case").count() == 2)


def test_a_pair_opens_from_the_queue_where_its_scans_are_gone(page):
    page.click("#step-learn")
    until(page, lambda: page.locator(".queue tbody tr td").first.inner_text() == "pair 1")
    page.click(".open-entry")
    page.wait_for_selector("#accepted")
    until(page, lambda: "CT of pair 1" in page.locator(".v-select").first.text_content())
    assert ml(page, NAMES[0]) > 0


def test_a_task_without_a_model_is_begun_by_a_click_or_by_its_file(page, app):
    page.click("#step-models")
    page.click("[data-begin='orbit']")
    card = page.locator(".v-card", has_text="Orbit T1 + T2 (not trained yet)")
    card.locator("button[disabled]", has_text="Use it").wait_for()  # it is chosen
    page.wait_for_selector("[data-begin='orbit']", state="detached")
    task = json.dumps(replace(tiny_card(), name="mine", title="Mine").to_dict()).encode()
    file = {"name": "task.json", "mimeType": "application/json", "buffer": task}
    page.set_input_files("#cmcseg-model", file)
    page.locator(".v-card", has_text="Mine (not trained yet)").wait_for()
    page.set_input_files("#cmcseg-model", {**file, "buffer": b"{}"})
    until(page, lambda: "the key name is missing" in page.inner_text("#notice"))
    page.locator(".v-card", has_text="Fruit").get_by_text("Use it").click()
    until(page, lambda: not list(app.folder.rglob("task.json")))  # what was sent is deleted


def test_a_model_is_kept_beside_for_a_site_and_proposed_for_its_scans(page, app):
    page.click("#step-learn")
    page.fill("#minutes", "0.02")
    page.click("#fine-tune:not([disabled])")
    page.wait_for_selector("#cancel-tuning")
    page.wait_for_selector("#verdict")
    assert page.locator("#keep-beside[disabled]").count() == 1
    page.fill("#reason", "it is a test")
    page.fill("#site", "Dijon")
    page.click("#keep-beside:not([disabled])")
    until(page, lambda: "'Fruit, Dijon' is kept beside" in page.inner_text("#notice"))
    assert history(app)[0]["in_use"]
    page.click("#step-segment")
    until(page, lambda: page.locator("#site-line").count() == 1)
    assert page.inner_text("#site-line span").startswith("These scans look like those that 'Fruit,")
    chosen = page.locator(".v-select__selection-text", has_text="Fruit")
    assert chosen.inner_text() == "Fruit"
    page.click("#use-site")
    until(page, lambda: chosen.inner_text() == "Fruit, Dijon")
    assert page.locator("#site-line").count() == 0


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(page, colours):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for step in STEPS:
        page.click(f"#step-{step}")
        page.wait_for_timeout(300)  # colours fade
        nothing_serious(page, axe, (colours, step))
    page.click("#theme")


def test_nothing_stands_before_the_link(app):
    assert app.text().split("CMCSeg: http")[0].strip() == ""


def test_nothing_of_a_patient_is_in_the_log(app):
    assert not re.search(r"\b(ann|bob)\b", app.text())


def history(app):
    answer = subprocess.run(
        [sys.executable, "-m", "cmcseg", "models", "history", "fruit", "--json"],
        env=app.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)
