"""Whether this computer can draw is asked where a crash does no harm."""

import os

import pytest
from cmcseg.cli import main
from cmcseg.web import drawing


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    monkeypatch.delenv(drawing.WINDOW, raising=False)
    drawing.can_draw.cache_clear()
    yield
    drawing.can_draw.cache_clear()


@pytest.mark.parametrize(
    "crash", ["import os; os.abort()", "print('black')", "raise SystemExit(1)"]
)
def test_a_computer_that_cannot_draw_is_told_what_to_install(crash, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(drawing, "PROBE", crash)
    with pytest.raises(SystemExit) as stop:
        main(["web", str(tmp_path / "scans")])
    assert stop.value.code == 2
    assert "lacks what draws pictures without a screen; install it" in capsys.readouterr().err
    assert not (tmp_path / "scans").exists()


def test_a_driver_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(drawing, "PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(drawing, "SECONDS", 0.2)
    assert not drawing.can_draw()


def test_the_window_that_drew_is_the_one_that_the_app_will_use(monkeypatch):
    by_egl = f"import os; print('green' if 'EGL' in os.environ.get('{drawing.WINDOW}', '') else '')"
    monkeypatch.setattr(drawing, "PROBE", by_egl)
    monkeypatch.setattr(drawing.sys, "platform", "linux")
    assert drawing.can_draw()
    assert os.environ[drawing.WINDOW] == "vtkEGLRenderWindow"
