"""The network is asked about the mirror image where much is in doubt, and only there."""

from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import task_card
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.predict import mirror_look as mirror_look_file
from cmcseg.predict import segment as whole
from cmcseg.predict.mirror_look import in_doubt, mirror_look
from cmcseg.predict.oom_fallback import Found
from tiny import tiny_bundle

TABLE = task_card("abdomen").table
SHAPE = (10, 9, 8)
GRID = Grid(shape=SHAPE, affine=np.diag([2.0, 2.0, 2.0, 1.0]))


def scores(share, shape=SHAPE):
    """Everything is liver, a share of it (in tenths, along j) as likely as it is spleen."""
    found = np.zeros((TABLE.classes, *shape), np.float32)
    found[1] = 1
    doubtful = round(share * shape[1])
    found[1, :, :doubtful], found[4, :, :doubtful] = 0.55, 0.45
    return {"ct": found}


class Look:
    """Answers as the network would; remembers along which axes it was turned."""

    def __init__(self, share):
        self.share, self.axes = share, []

    def __call__(self, axis):
        self.axes.append(axis)
        return SimpleNamespace(scores=scores(self.share))


def test_the_share_in_doubt_is_that_of_what_was_found():
    assert in_doubt(scores(1 / 3)["ct"]) == pytest.approx(1 / 3)
    assert in_doubt(scores(0)["ct"]) == 0
    nothing = np.zeros((TABLE.classes, *SHAPE), np.float32)
    nothing[0] = 1
    assert in_doubt(nothing) == 0


@pytest.mark.parametrize("share", [0, 0.1, 8 / 9])
def test_sure_scans_and_those_of_another_region_are_looked_at_once(share):
    look = Look(0)
    assert mirror_look(scores(share), GRID, TABLE, look) == {}
    assert look.axes == []


def test_without_right_and_left_nobody_looks():
    look, table = Look(0), TABLE.__class__(labels=TABLE.labels[:1])
    assert mirror_look(scores(1 / 3), GRID, table, look) == {}
    assert look.axes == []


def test_a_spleen_that_is_larger_than_the_liver_is_looked_at_however_sure():
    look, found = Look(1 / 9), scores(0)
    found["ct"][[1, 4], :, 3:] = found["ct"][[4, 1], :, 3:]
    shares = mirror_look(found, GRID, TABLE, look)
    assert shares == {"ct": (0, pytest.approx(1 / 9))}
    found["ct"][[1, 4]] = found["ct"][[4, 1]]
    assert mirror_look(found, GRID, TABLE, look) == {}


@pytest.mark.parametrize(("order", "axis"), [((0, 1, 2), 0), ((2, 0, 1), 1), ((1, 2, 0), 2)])
def test_the_mirror_exchanges_right_and_left_whatever_the_order_of_axes(order, axis):
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, order] * 2
    look = Look(1 / 9)
    found = mirror_look(scores(1 / 3), Grid(shape=SHAPE, affine=affine), TABLE, look)
    assert look.axes == [axis]
    assert found == {"ct": (pytest.approx(1 / 3), pytest.approx(1 / 9))}


@pytest.mark.parametrize("error", [BadInput("too little memory"), MemoryError()])
def test_a_result_is_not_lost_for_want_of_memory(error):
    def look(_axis):
        raise error

    assert mirror_look(scores(1 / 3), GRID, TABLE, look) == {}


def test_a_mirrored_scan_is_told_with_its_result(tmp_path, monkeypatch):
    bundle = load_bundle(tiny_bundle(tmp_path / "tiny"))
    rising = np.broadcast_to(np.arange(20.0)[:, None, None], (20, 20, 20)).astype(np.float32)
    grid = Grid(shape=rising.shape, affine=np.diag([3.0, 3.0, 3.0, 1.0]))

    def network(_bundle, images, *_rest, **_named):
        (image,) = images.values()
        share = 1 / 3 if image[0].mean() < image[-1].mean() else 1 / 9
        return Found(scores=scores(share, image.shape), device=whole.torch.device("cpu"), notes=())

    monkeypatch.setattr(mirror_look_file, "probabilities", network)
    for affine, count in ((grid.affine, 1), (np.diag([-1.0, 1, 1, 1]) @ grid.affine, 0)):
        scan = Volume(array=rising, grid=Grid(shape=rising.shape, affine=affine))
        told = whole.segment({"ct": scan}, bundle).warnings
        assert sum("Does its header mirror the patient?" in sentence for sentence in told) == count
