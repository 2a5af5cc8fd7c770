"""A partner whose place is not known changes nothing, to the bit; a trusted one is heard."""

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.core.grid import Grid
from cmcseg.core.prediction import Alignment
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.volume import Volume
from cmcseg.predict import segment as module
from cmcseg.predict.segment import LEAST_TRUST, segment
from tiny import tiny_bundle

SETTINGS = SegmentSettings(device="cpu", overlap=0.0)


@pytest.fixture(scope="module")
def a_bundle(tmp_path_factory):
    bundle = load_bundle(tiny_bundle(tmp_path_factory.mktemp("models") / "tiny"))
    torch.manual_seed(0)
    for parameter in bundle.network.fusion.parameters():
        torch.nn.init.normal_(parameter)  # a fresh fusion adds nothing
    return bundle


@pytest.fixture(scope="module")
def two_scans():
    """Fields of view that differ, so a grid laid over both is neither's own."""
    chance = np.random.default_rng(0)
    scans = {}
    for role, shape, corner in (("ct", (21, 17, 13), 0.0), ("mr", (15, 19, 11), 7.3)):
        affine = np.diag([4.0, 4.0, 5.0, 1.0])
        affine[:3, 3] = corner
        array = chance.normal(100, 60, shape).astype(np.int16)
        scans[role] = Volume(array=array, grid=Grid(shape=shape, affine=affine))
    return scans


@pytest.fixture
def aligned_with(monkeypatch):
    def play(confidence):
        def found(*_, fixed_role, moving_role, **__):
            return Alignment(
                fixed=fixed_role,
                moving=moving_role,
                matrix=np.eye(4),
                method="header",
                similarity=1.1,
                confidence=confidence,
                overlap=0.7,
                shift_mm=0.0,
                angle_deg=0.0,
                tilt_deg=0.0,
                centers_mm=7.0,
            )

        monkeypatch.setattr(module, "align", found)

    return play


@pytest.mark.parametrize("confidence", [0.0, 0.5 * LEAST_TRUST])
def test_without_trust_each_scan_is_segmented_as_if_it_were_alone(
    a_bundle, two_scans, aligned_with, confidence
):
    aligned_with(confidence)
    together = segment(two_scans, a_bundle, SETTINGS)
    for role, volume in two_scans.items():
        alone = segment({role: volume}, a_bundle, SETTINGS)
        np.testing.assert_array_equal(together.labels[role].array, alone.labels[role].array)
        np.testing.assert_array_equal(together.doubt[role].array, alone.doubt[role].array)


def test_it_says_that_the_scans_were_looked_at_apart(a_bundle, two_scans, aligned_with):
    aligned_with(0.04)
    heard = []
    found = segment(two_scans, a_bundle, SETTINGS, heard.append)
    words = (
        "The alignment of the scans cannot be trusted (confidence 4%), so each was segmented by "
        "itself."
    )
    assert found.warnings.count(words) == 1
    assert found.alignment.confidence == 0.04
    # What a network without sense doubts may be looked at in a mirror as well.
    stages = list(dict.fromkeys(p.stage for p in heard if not p.stage.startswith("mirroring")))
    assert stages == [
        "resampling the CT",
        "segmenting the CT",
        "finishing the CT",
        "resampling the MR",
        "segmenting the MR",
        "finishing the MR",
    ]


def test_with_trust_the_partner_is_heard(a_bundle, two_scans, aligned_with):
    doubts = {}
    for confidence in (0.0, 1.0):
        aligned_with(confidence)
        found = segment(two_scans, a_bundle, SETTINGS)
        doubts[confidence] = found.doubt["ct"].array
    assert np.abs(doubts[0.0] - doubts[1.0]).max() > 1e-3
    assert not any("by itself" in words for words in found.warnings)


def test_scans_that_the_user_says_are_aligned_are_looked_at_together(
    a_bundle, two_scans, aligned_with
):
    aligned_with(0.0)
    as_told = SegmentSettings(device="cpu", overlap=0.0, align="none")
    found = segment(two_scans, a_bundle, as_told)
    aligned_with(1.0)
    sure = segment(two_scans, a_bundle, as_told)
    np.testing.assert_array_equal(found.doubt["ct"].array, sure.doubt["ct"].array)
    assert any("do not look aligned (confidence 0%)" in words for words in found.warnings)
    assert not any("look aligned" in words for words in sure.warnings)
