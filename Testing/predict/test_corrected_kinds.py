"""A corrected model segments scans of another kind as before its corrections, and says so."""

from dataclasses import replace

import numpy as np
import pytest
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.core.grid import Grid
from cmcseg.core.scan_traits import groups_of, traits_of
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.nets.domain_net import with_before
from cmcseg.predict.scan_memory import look
from cmcseg.predict.segment import segment
from tiny import tiny_card, tiny_state

SETTINGS = SegmentSettings(device="cpu", overlap=0.0)


def a_scan(edge):
    array = np.random.default_rng(0).normal(100, 60, (24, 24, 16)).astype(np.int16)
    return Volume(array=array, grid=Grid(shape=array.shape, affine=np.diag([*[edge] * 3, 1.0])))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Before, learned, and the one that is both, corrected in CTs with voxels of 4 mm."""
    card = tiny_card()
    card = replace(card, network=replace(card.network, shared_kernels=False))
    old, learned = (tiny_state(card, seed) for seed in (0, 1))
    groups = {role: (g,) for role, g in groups_of([("ct", traits_of(a_scan(4.0)))]).items()}
    folder = tmp_path_factory.mktemp("models")
    learned |= {key: value for key, value in old.items() if key.startswith("fusion.")}
    save_bundle(old, card, folder / "old")
    save_bundle(learned, card, folder / "learned")
    both = replace(card, corrected=groups)
    save_bundle(with_before(learned, old, [0]), both, folder / "both")
    return {name: load_bundle(folder / name) for name in ("old", "learned", "both")}


@pytest.mark.parametrize(
    ("edge", "like", "told"),
    [(4.0, "learned", None), (2.0, "old", "segmented as before"), (3.0, None, "only a part of")],
)
def test_the_scan_decides_which_kernels_see_it(models, edge, like, told):
    scan = a_scan(edge)
    found = segment({"ct": scan}, models["both"], SETTINGS)
    notes = [line for line in found.warnings if "corrected on" in line]
    if told:
        assert told in notes[0]
    else:
        assert not notes
    if like:
        twin = segment({"ct": scan}, models[like], SETTINGS)
        assert np.array_equal(found.labels["ct"].array, twin.labels["ct"].array)
        assert np.array_equal(found.doubt["ct"].array, twin.doubt["ct"].array)
        marked, apart = (look(scan, "ct", models[name], "cpu") for name in ("both", like))
        assert np.array_equal(marked.features, apart.features)
