"""A scan that was read elsewhere comes into the scene as it was read."""

import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import place_of
from cmcseg.mrml.new_scan import put_scan
from cmcseg.mrml.scans import scan_info
from cmcseg.mrml.voxels import voxels
from mrml_scene import Host


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "f4"])
def test_numbers_place_and_words_are_those_of_the_scan(kind):
    affine = np.array([[0, -2, 0, 10], [1.5, 0, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
    grid = Grid(shape=(4, 5, 6), affine=affine)
    array = np.asfortranarray(np.random.default_rng(0).integers(0, 99, grid.shape).astype(kind))
    facts = {"modality": "MR"}
    host = Host()
    scene = host.scene
    key = put_scan(scene, Volume(array=array.copy(order="F"), grid=grid, facts=facts), "MR of ann")
    node = scene.GetNodeByID(key)
    assert np.array_equal(voxels(node), array)
    assert place_of(node).world.agrees_with(grid)
    info = scan_info(node)
    assert (info.name, info.modality) == ("MR of ann", "MR")
    assert info.refusal == ""
    host.close()
