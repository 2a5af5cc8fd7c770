"""What a view hears of the page."""

import pytest
from cmcseg.web.view_factory import is_heard


@pytest.mark.parametrize("kind", ["KeyPress", "KeyDown", "KeyUp", "StartPointerLock", "", None, 3])
def test_no_key_reaches_vtk(kind):
    assert not is_heard({"type": kind, "key": "e"})


@pytest.mark.parametrize("event", [None, "MouseMove", [], {}])
def test_what_is_no_event_is_not_heard(event):
    assert not is_heard(event)


@pytest.mark.parametrize("kind", ["MouseMove", "LeftButtonPress", "MouseWheel"])
def test_the_mouse_is_heard(kind):
    assert is_heard({"type": kind, "x": 3, "y": 4})
