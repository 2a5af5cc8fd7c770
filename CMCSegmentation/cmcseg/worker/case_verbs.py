"""What the browser app asks of a worker about the cases of its folder."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.messages import Message
from cmcseg.core.progress import Report
from cmcseg.worker.model_cache import ModelCache

SAMPLE_SEED, SAMPLE_SHIFT_MM, SAMPLE_ANGLE_DEG = 3, 12.0, 4.0
PIXELS = 96  # edge of a thumbnail


def sample(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Render the misaligned abdominal pair into ``folder``, which appears when it is whole."""
    from cmcseg.bundle.store import task_card
    from cmcseg.data.synthesis import make_pair
    from cmcseg.imaging.files import write_volume

    folder = Path(request.values["folder"])
    draft = folder.with_name(f".{folder.name}.part")
    if not folder.parent.is_dir():  # a disk that is gone is not made again
        raise BadInput(f"The folder {folder.parent} is gone; put it back, or start the app anew.")
    draft.mkdir(exist_ok=True)
    made = make_pair(
        "abdomen",
        task_card("abdomen").table,
        seed=SAMPLE_SEED,
        shift_mm=SAMPLE_SHIFT_MM,
        angle_deg=SAMPLE_ANGLE_DEG,
    )
    for role, scan in made.items():
        write_volume(scan.volume, draft / f"{role}.nii.gz")
    draft.rename(folder)
    return Message(verb="sample", values={"folder": str(folder)})


def thumbnail(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """A picture of the middle axial plane of ``scan`` as a data address."""
    from cmcseg.imaging.files import read_scan

    within = request.values.get("within")
    volume = read_scan(Path(request.values["scan"]), Path(within) if within else None).volume
    plane = axial_plane(volume.array, volume.grid)
    low, high = np.percentile(plane, (2, 99))
    grey = np.clip((plane - low) / max(high - low, 1e-6), 0, 1)
    code = base64.b64encode(_png((grey * 255).astype(np.uint8))).decode("ascii")
    return Message(verb="thumbnail", values={"picture": f"data:image/png;base64,{code}"})


def axial_plane(array: np.ndarray, grid: Grid) -> np.ndarray:
    """The middle axial plane as radiologists look at it, ``(PIXELS, PIXELS)`` float.

    The patient's right is on the left and the front is up, whatever the axes of the file; the
    longer edge fills the picture.
    """
    middle = grid.center
    span = np.ptp(grid.corners(), axis=0)[:2].max()
    steps = np.linspace(span / 2, -span / 2, PIXELS)  # RAS: right and front are positive
    points = np.empty((PIXELS, PIXELS, 3))
    points[...] = middle
    points[..., 0] += steps[None, :]
    points[..., 1] += steps[:, None]
    index = np.rint(grid.index(points.reshape(-1, 3))).astype(int)
    inside = ((index >= 0) & (index < np.array(grid.shape))).all(axis=1)
    plane = np.full(PIXELS * PIXELS, float(array.min()))
    plane[inside] = array[tuple(index[inside].T)]
    return plane.reshape(PIXELS, PIXELS)


def _png(grey: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey, "L").save(out, format="PNG")
    return out.getvalue()
