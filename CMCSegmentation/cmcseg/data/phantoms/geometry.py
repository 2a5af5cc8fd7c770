"""From a person's measures to tissues in space."""

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.data.phantoms.abdominal_organs import (
    lay_bowel,
    lay_kidneys,
    lay_liver,
    lay_spleen_and_stomach,
)
from cmcseg.data.phantoms.body_tissues import lay_spine, lay_trunk, lay_vessels
from cmcseg.data.phantoms.build import Build
from cmcseg.data.phantoms.heart import lay_heart
from cmcseg.data.phantoms.solids import Block, Rng


def place_tissues(build: Build, grid: Grid, middle: np.ndarray, rng: Rng) -> Block:
    """Fill a grid with the person's tissues.

    Args:
        build: who it is.
        grid: voxels to fill, about 2 mm wide.
        middle: RAS world position of the origin of the body's coordinates.
        rng: decides the bends, the vessels and the bowel.

    Returns:
        The layers, first one first; later layers cover earlier ones.
    """
    block = Block(grid, middle, rng, bend_mm=3.5)
    cavity, dome = lay_trunk(block, build)
    lay_bowel(block, build, cavity, dome, rng)
    lay_spleen_and_stomach(block, build, cavity, dome)
    lay_liver(block, build, cavity, dome, rng)
    lay_kidneys(block, build)
    lay_heart(block, build, cavity)
    lay_vessels(block, build)
    lay_spine(block, build)
    return block
