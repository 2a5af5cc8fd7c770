"""What a segmentation says of each organ."""

import numpy as np
import pytest
from cmcseg.bundle.store import task_card
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.organ_findings import organ_findings
from cmcseg.core.prediction import Prediction
from cmcseg.core.uncertainty import DOUBTFUL, HIGH, SOME, DoubtLevel
from cmcseg.core.volume import Volume

TABLE = task_card("abdomen").table
GRID = Grid(shape=(9, 8, 7), affine=np.diag([2.0, 2.0, 5.0, 1.0]))


def a_prediction(labels, doubt, grid=GRID):
    return Prediction(
        labels={"ct": LabelMap(array=labels.astype(np.uint8), grid=grid, table=TABLE)},
        doubt={"ct": Volume(array=doubt.astype(np.float32), grid=grid)},
        model="m",
        version="1.0.0",
        sha256="0" * 64,
    )


def slow_findings(labels, doubt, value):
    """Share in doubt and whether the border is touched, voxel by voxel."""
    inside = [place for place in np.ndindex(labels.shape) if labels[place] == value]
    unsure = [place for place in inside if doubt[place] > DOUBTFUL]
    ends = [n - 1 for n in labels.shape]
    cut = any(0 in p or any(i == e for i, e in zip(p, ends, strict=True)) for p in inside)
    return len(inside), len(unsure) / len(inside) if inside else 0, cut


@pytest.mark.parametrize("order", ["C", "F"])
def test_it_equals_its_slow_twin(order):
    rng = np.random.default_rng(0)
    labels = np.zeros(GRID.shape)
    labels[2:5, 2:5, 2:5] = 1
    labels[5:, 3:5, 2:4] = 2  # reaches the last plane of the first axis
    labels[1:4, 6, 0:2] = 4  # and this one the first of the third
    doubt = rng.random(GRID.shape)
    doubt[0] = np.nan
    stored = np.asarray(labels, order=order), np.asarray(doubt, order=order)
    found = organ_findings(a_prediction(*stored), "ct")
    assert list(found) == [label.name for label in TABLE]
    for label in TABLE:
        count, share, cut = slow_findings(labels, doubt, label.value)
        finding = found[label.name]
        assert finding.ml == pytest.approx(count * 0.02)
        assert finding.doubtful == pytest.approx(share)
        assert finding.is_cut == cut


@pytest.mark.parametrize(
    ("share", "word"),
    [(0.0, "low"), (SOME - 0.02, "low"), (SOME + 0.02, "some"), (HIGH + 0.02, "high")],
)
def test_the_word_follows_the_share_in_doubt(share, word):
    labels, doubt = np.zeros(GRID.shape), np.zeros(GRID.shape)
    labels[2:7, 1:6, 1:5] = 3
    places = np.argwhere(labels == 3)
    for place in places[: round(share * len(places))]:
        doubt[tuple(place)] = 0.9
    found = organ_findings(a_prediction(labels, doubt), "ct")
    assert found["left kidney"].doubt == word
    assert found["liver"].doubt == "not found"


def test_a_single_slice_cuts_an_organ_at_its_own_edges_only():
    flat = Grid(shape=(9, 8, 1), affine=GRID.affine)
    labels = np.zeros(flat.shape)
    labels[3:5, 3:5] = 1
    labels[0:2, 6] = 2
    found = organ_findings(a_prediction(labels, np.zeros(flat.shape), flat), "ct")
    assert not found["liver"].is_cut
    assert found["right kidney"].is_cut


def test_an_organ_that_one_scan_lacks_hides_no_doubt_about_it_in_the_other():
    assert max(DoubtLevel.NOT_FOUND, DoubtLevel.HIGH) is DoubtLevel.HIGH
    assert [level.word for level in sorted(DoubtLevel)] == ["not found", "low", "some", "high"]
