"""What the page tells, and which step it turns to."""

import time
from pathlib import Path

import pytest
from cmcseg.web.page import STAYS, Page, short
from trame.app import get_server

HOME = Path("/home/ann/my scans")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (f"{HOME}/bob/ct.nii.gz is damaged.", "bob/ct.nii.gz is damaged."),
        (f"The folder {HOME} is gone.", "The folder my scans is gone."),
        ("/tmp/cmcseg-1/models/fruit/card.json cannot be read.", "card.json cannot be read."),
        ("Give 3/4 of it, in mL/s; see http://a.org/b/c.", None),
        ("It is on and/or off. One third: 1/3.", None),
    ],
)
def test_no_whole_path_is_told(told, shown):
    assert short(told, HOME) == (shown or told)


@pytest.fixture
def page():
    return Page(get_server("page", client_type="vue3"), HOME)


def test_what_has_come_turns_the_page(page):
    page.asked()
    page.arrive("segment")
    page.arrive("review")
    assert page.state.data.step == "review"


def test_whoever_went_elsewhere_meanwhile_is_not_pulled_back(page):
    page.asked()
    page.state.data.step = "models"
    page.arrive("segment")
    assert page.state.data.step == "models"


def test_an_error_stays_to_be_read_and_leaves_when_something_else_is_done(page, monkeypatch):
    page.tell("That is no scan.")
    go_on = page.trying(lambda: None)
    go_on()
    assert page.state.data.notice == "That is no scan."
    later = time.monotonic() + STAYS + 1
    monkeypatch.setattr("cmcseg.web.page.time.monotonic", lambda: later)
    go_on()
    assert page.state.data.notice == ""
