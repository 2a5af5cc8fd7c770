"""What the mouse does over a slice view, by the tool in hand."""

import pytest
from cmcseg.web.pointer import DRAW, MEASURE, MOVE, NUDGE, WINDOW, Pointer


@pytest.fixture
def heard():
    return []


@pytest.fixture
def pointer(heard):
    return Pointer(
        lambda *told: heard.append(("pointed", *told)),
        {
            mode: lambda *told, word=word: heard.append((word, *told))
            for mode, word in ((MOVE, "panned"), (WINDOW, "windowed"), (NUDGE, "nudged"))
        },
        lambda *told: heard.append(("measured", *told)),
    )


def at(kind, x=0, y=0):
    return {"type": kind, "x": x, "y": y}


@pytest.mark.parametrize(
    ("mode", "word"), [(MOVE, "panned"), (WINDOW, "windowed"), (NUDGE, "nudged")]
)
def test_the_left_button_moves_the_picture_sets_its_window_or_moves_the_other_scan(
    pointer, heard, mode, word
):
    pointer.mode = mode
    assert pointer.hear(1, at("LeftButtonPress", 10, 10), 2.0)
    assert pointer.hear(1, at("MouseMove", 13, 9), 2.0)
    assert pointer.hear(1, at("LeftButtonRelease", 13, 9), 2.0)
    assert (word, 1, 6.0, -2.0) in heard  # in pixels of the view
    assert not pointer.hear(1, at("MouseMove", 20, 20), 2.0)


def test_drawing_is_left_to_slicer_and_its_view_stays_the_one_it_began_in(pointer, heard):
    pointer.mode = DRAW
    assert not pointer.hear(0, at("LeftButtonPress"), 1.0)
    assert not pointer.hear(1, at("MouseMove"), 1.0)
    assert [told[1] for told in heard if told[0] == "pointed"] == [0]
    pointer.hear(1, at("LeftButtonRelease"), 1.0)
    pointer.hear(1, at("MouseMove"), 1.0)
    assert heard[-1][:2] == ("pointed", 1)


def test_the_middle_button_moves_the_picture_whatever_is_in_hand(pointer, heard):
    pointer.mode = DRAW
    assert pointer.hear(0, at("MiddleButtonPress"), 1.0)
    pointer.hear(0, at("MouseMove", 4, 0), 1.0)
    assert ("panned", 0, 4.0, 0.0) in heard


@pytest.mark.parametrize("x", [None, "3", float("nan"), [1]])
def test_a_place_that_is_none_is_passed_on_and_not_used(pointer, heard, x):
    assert not pointer.hear(0, {"type": "LeftButtonPress", "x": x, "y": 1}, 1.0)
    assert heard == []


def test_a_line_is_measured_from_where_the_button_went_down(pointer, heard):
    pointer.mode = MEASURE
    assert pointer.hear(0, at("LeftButtonPress", 5, 5), 2.0)
    pointer.hear(0, at("MouseMove", 6, 5), 2.0)
    pointer.hear(0, at("MouseMove", 15, 5), 2.0)
    pointer.hear(0, at("LeftButtonRelease", 15, 5), 2.0)
    assert heard[-1] == ("measured", 0, (10.0, 10.0), (30.0, 10.0))
