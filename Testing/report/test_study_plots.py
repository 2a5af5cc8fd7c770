"""Pictures of studies: what is drawn, and where."""

import pytest
from cmcseg.report import study_plots
from cmcseg.report.study_plots import Point, draw_bars, draw_lines
from PIL import Image


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the last picture, to look at."""
    kept = []
    real = study_plots._saved

    def saved(figure, axes, lowest, path):
        kept[:] = axes
        return real(figure, axes, lowest, path)

    monkeypatch.setattr(study_plots, "_saved", saved)
    return kept


def some(*means):
    return [Point(x=x, mean=mean, half=0.02) for x, mean in enumerate(means)]


def test_a_curve_and_what_the_scans_reach_alone_share_a_colour(drawn, tmp_path):
    lines = {"best": some(0.8, 0.7), "best, alone": some(0.6, 0.6), "paper": some(0.7, 0.7)}
    path = draw_lines({"ct": lines, "mr": lines}, tmp_path / "lines.png", along="mm")
    together, alone, other = drawn[0].lines
    assert together.get_color() == alone.get_color() != other.get_color()
    assert (together.get_linestyle(), alone.get_linestyle()) == ("-", ":")
    assert [panel.get_title() for panel in drawn] == ["ct", "mr"]
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_bars_begin_at_zero_and_places_without_any_are_left_out(drawn, tmp_path):
    bars = {"paper": {"ct": [Point(x=0, mean=0.8), Point(x=2, mean=0.7)]}}
    draw_bars(bars, ["all", "without CSC", "without CAC"], tmp_path / "bars.png")
    assert drawn[0].get_ylim() == (0.0, 1.0)
    assert [label.get_text() for label in drawn[0].get_xticklabels()] == ["all", "without CAC"]
    assert [bar.get_height() for bar in drawn[0].patches] == [0.8, 0.7]


def test_many_panels_are_drawn_in_rows(drawn, tmp_path):
    panels = {f"panel {n}": {"ct": some(0.5, 0.6)} for n in range(5)}
    draw_bars(panels, ["a", "b"], tmp_path / "bars.png")
    assert len(drawn) == 5
    assert len({round(panel.get_position().y0, 2) for panel in drawn}) == 2
