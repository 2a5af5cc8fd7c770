"""The panel fits a narrow dock and one screen; what comes next is always in sight."""

import pytest

WIDTH, HEIGHT = 400, 700  # pixels of a dock on a laptop


@pytest.fixture
def a_dock(a_desk):
    """The panel alone, in a dock of that size."""

    def shown():
        root = a_desk.ui.page.parentWidget()
        root.setParent(None)
        root.resize(WIDTH, HEIGHT)
        root.show()
        a_desk.quiet()
        return root

    a_desk.shown = shown
    return a_desk


def stages(desk):
    """The panel at every step of the page."""
    yield "scans"
    desk.segmented()
    yield "result"
    desk.ui.toolsSection.collapsed = False
    yield "tools"
    desk.ui.acceptButton.click()
    desk.quiet()
    yield "accepted"
    desk.worker.verdict = {"verdict": "keep", "reason": "As found.", "organs": {}}
    desk.ui.fineTuneButton.click()
    desk.quiet()
    yield "verdict"


def test_it_is_no_wider_than_the_dock_at_any_step(a_dock):
    """Slicer gives a module no less than its size hint."""
    for step in stages(a_dock):
        root = a_dock.shown()
        assert root.sizeHint().width() <= WIDTH, step
        assert root.minimumSizeHint().width() <= WIDTH, step


def test_nothing_is_cut_off_at_the_right_at_any_step(a_dock):
    """The steps scroll up and down; what is too wide for the dock would be out of reach."""
    for step in stages(a_dock):
        a_dock.shown()
        ui = a_dock.ui
        assert ui.steps.minimumSizeHint().width() <= ui.scrollArea.viewport().width, step


def test_the_primary_button_is_in_sight_at_every_step(a_dock):
    ui = a_dock.ui
    wanted = {
        "scans": ui.segmentButton,
        "result": ui.acceptButton,
        "tools": ui.acceptButton,
        "accepted": ui.fineTuneButton,
        "verdict": ui.keepButton,
    }
    buttons = (
        ui.segmentButton,
        ui.acceptButton,
        ui.fineTuneButton,
        ui.adoptButton,
        ui.keepButton,
    )
    for step in stages(a_dock):
        root = a_dock.shown()
        assert [b.objectName for b in buttons if b.styleSheet] == [wanted[step].objectName], step
        button = wanted[step]
        corner = button.mapTo(root, button.rect.bottomRight())
        assert button.isVisible(), step
        assert root.rect.contains(corner), step


def test_what_is_done_is_folded_and_what_comes_next_is_open(a_dock):
    ui = a_dock.ui
    sections = {
        "scans": ui.scansSection,
        "model": ui.modelSection,
        "result": ui.resultSection,
        "review": ui.reviewSection,
        "learn": ui.learnSection,
    }
    opened = {
        step: {name for name, section in sections.items() if not section.collapsed}
        for step in stages(a_dock)
    }
    assert opened == {
        "scans": {"scans", "model"},
        "result": {"result", "review"},
        "tools": {"result", "review"},
        "accepted": {"learn"},
        "verdict": {"learn"},
    }


def test_a_section_that_the_user_opened_stays_open(a_dock):
    a_dock.segmented()
    a_dock.ui.scansSection.collapsed = False
    a_dock.panel.refresh()
    assert not a_dock.ui.scansSection.collapsed


def test_everything_that_can_be_used_has_a_tool_tip(a_dock):
    import qt

    kinds = (qt.QPushButton, qt.QCheckBox, qt.QComboBox, qt.QLineEdit, qt.QSpinBox)
    for step in stages(a_dock):
        for name, widget in vars(a_dock.ui).items():
            if isinstance(widget, kinds) and not name.startswith("qt_"):
                assert widget.toolTip, f"{name} at {step}"


def test_messages_stand_beside_the_buttons_and_good_ones_go_again(a_dock, monkeypatch):
    from cmcseg.desktop import panel as module

    root, label = a_dock.shown(), a_dock.ui.messageLabel
    a_dock.panel.tell("Something went wrong.")
    a_dock.quiet()
    assert root.rect.contains(label.mapTo(root, label.rect.bottomLeft()))
    assert "background" in label.styleSheet
    monkeypatch.setattr(module, "GOOD_SECONDS", 0.0)
    a_dock.panel.tell("All is well.", good=True)
    assert label.text == "All is well."
    a_dock.until(label.isHidden, seconds=5)


def test_accepting_is_answered_with_a_word(a_dock):
    a_dock.segmented()
    a_dock.ui.acceptButton.click()
    a_dock.quiet()
    assert a_dock.ui.messageLabel.text.startswith("Accepted")


def test_without_packages_the_button_says_what_is_missing(a_dock, monkeypatch):
    monkeypatch.setattr(type(a_dock.panel._installation), "ready", False)
    a_dock.panel._installation.look()
    a_dock.panel.refresh()
    assert not a_dock.ui.segmentButton.isEnabled()
    assert "Something is not installed yet" in a_dock.ui.segmentButton.toolTip
