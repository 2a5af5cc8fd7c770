"""What a model saw of one scan, kept so that every mark on it is answered at once.

Shapes: K classes, C channels, I J K' voxels of the working grid, P Q R patches of it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import grid_sample

from cmcseg.bundle.load import Bundle
from cmcseg.core.grid import Grid
from cmcseg.core.progress import Report, ignore
from cmcseg.core.volume import Volume
from cmcseg.imaging.intensity import normalise
from cmcseg.imaging.resample import resample, working_grid
from cmcseg.nets.device import pick_device
from cmcseg.nets.sliding_features import sliding_features
from cmcseg.predict.domain_choice import choose_domain

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanMemory:
    """One scan through a model's eyes.

    Attributes:
        grid: the scan's own.
        image: normalised values on it, float16.
        probabilities: ``(K, I, J, K')`` float16 on the working grid.
        features: ``(C, P, Q, R)`` float16, the decoder's last ones.
        to_working: 4 x 4, from the scan's voxel index to that of the working grid.
        patch: voxels of the working grid that share a feature.
    """

    grid: Grid
    image: np.ndarray
    probabilities: np.ndarray
    features: np.ndarray
    to_working: np.ndarray
    patch: tuple[int, int, int]

    def probabilities_in(self, box: Box) -> np.ndarray:
        """``(K, ...)`` float32 on the scan's own voxels of a box."""
        return _sampled(self.probabilities, self.to_working, box)

    def features_in(self, box: Box) -> np.ndarray:
        """``(C, ...)`` float32 on the scan's own voxels of a box."""
        # A patch lies where the middle of its voxels lies.
        patch = np.array(self.patch, dtype=np.float64)
        matrix = np.diag([*(1 / patch), 1.0])
        matrix[:3, 3] = 0.5 / patch - 0.5
        return _sampled(self.features, matrix @ self.to_working, box)


def look(
    volume: Volume, role: str, bundle: Bundle, device: str = "auto", report: Report = ignore
) -> ScanMemory:
    """Run the network over one scan and keep what it sees.

    Args:
        volume: the scan.
        role: as in the model's card.
        bundle: the model.
        device: as in ``SegmentSettings``.
        report: told after every window.
    """
    card, where = bundle.card, pick_device(device)
    normal = normalise(volume, card.input(role))
    grid = working_grid(card.grid, [volume.grid])
    image = resample(normal, volume.grid, grid, fill=float(normal.min()))
    bundle, _ = choose_domain(bundle, {role: volume})
    network = bundle.network.to(where)
    probabilities, features = sliding_features(network, image, role, card, where, report=report)
    return ScanMemory(
        grid=volume.grid,
        image=normal.astype(np.float16),
        probabilities=probabilities,
        features=features,
        to_working=np.linalg.inv(grid.affine) @ volume.grid.affine,
        patch=card.network.patch,
    )


def _sampled(array: np.ndarray, matrix: np.ndarray, box: Box) -> np.ndarray:
    """Linear interpolation of ``(C, ...)`` at the voxels of a box; beyond the border it repeats."""
    axes = [np.arange(part.start, part.stop, dtype=np.float64) for part in box]
    places = [
        row[0] * axes[0][:, None, None]
        + row[1] * axes[1][None, :, None]
        + row[2] * axes[2][None, None, :]
        + row[3]
        for row in matrix[:3]
    ]
    ends = [(int(np.floor(p.min())), int(np.ceil(p.max())) + 1) for p in places]
    part = tuple(
        slice(min(max(low, 0), n - 1), max(min(high, n), 1))
        for (low, high), n in zip(ends, array.shape[1:], strict=True)
    )
    near = torch.from_numpy(array[(slice(None), *part)].astype(np.float32))
    scaled = [
        2 * (place - cut.start) / max(n - 1, 1) - 1
        for place, cut, n in zip(places, part, near.shape[1:], strict=True)
    ]
    where = torch.from_numpy(np.stack(scaled[::-1], axis=-1).astype(np.float32))
    found = grid_sample(near[None], where[None], padding_mode="border", align_corners=True)
    return found[0].numpy()
