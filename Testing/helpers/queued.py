"""Small corrections for the tests of the queue."""

import numpy as np
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.queue.submission import Submission

GRID = Grid(shape=(6, 5, 4), affine=np.diag([2.0, 2.0, 3.0, 1.0]))
TABLE = LabelTable(labels=(Label(value=1, name="liver", color="#aabbcc"),))


def a_draft(seed=0, **changes):
    """A corrected CT of 120 voxels; another seed is another scan."""
    rng = np.random.default_rng(seed)
    image = Volume(array=rng.integers(0, 99, GRID.shape).astype(np.int16), grid=GRID)
    labels = LabelMap(array=rng.integers(0, 2, GRID.shape).astype(np.uint8), grid=GRID, table=TABLE)
    return Submission(
        **{"scans": {"ct": image}, "corrected": {"ct": labels}, "table": TABLE, **changes}
    )
