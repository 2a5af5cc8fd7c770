"""The picture of a real result in the README: an abdominal CT and MR with their organs outlined.

python bench/picture.py CT.nii.gz MR.nii.gz --out Resources/Screenshots/result.png
"""

import argparse
from pathlib import Path

import numpy as np
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.grid import Grid
from cmcseg.core.settings import SegmentSettings
from cmcseg.imaging.files import read_volume
from cmcseg.imaging.resample import resample, resample_labels
from cmcseg.predict.segment import segment
from matplotlib.figure import Figure
from matplotlib.patches import Patch

STEP = 1.5  # mm per pixel


def straight(volume):
    """The scan's box with even voxels along the patient's axes."""
    corners = volume.grid.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    affine = np.diag([STEP, STEP, STEP, 1.0])
    affine[:3, 3] = low
    return Grid(shape=tuple(np.ceil((high - low) / STEP).astype(int).tolist()), affine=affine)


def slices(volume, labels):
    """Axial, coronal and sagittal slices through the organs, as radiologists look at them."""
    grid = straight(volume)
    image = resample(volume.array.astype(np.float32), volume.grid, grid, fill=volume.array.min())
    organs = resample_labels(labels, grid)
    middle = np.median(np.argwhere(organs > 0), axis=0).astype(int)
    kidney = np.median(np.argwhere(organs == 2), axis=0).astype(int)
    cuts = (np.s_[:, :, kidney[2]], np.s_[:, kidney[1], :], np.s_[middle[0], :, :])
    return [(image[cut].T[::-1, ::-1], organs[cut].T[::-1, ::-1]) for cut in cuts]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ct", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    bundle = load_bundle(default_store().find("abdomen-ct-mr"))
    volume = read_volume(options.ct)
    found = segment({"ct": volume}, bundle, SegmentSettings())
    views = slices(volume, found.labels["ct"])
    wide = [image.shape[1] for image, _ in views]
    tall = max(image.shape[0] for image, _ in views)
    figure = Figure(figsize=(12, 12 * tall / sum(wide) + 0.6), facecolor="black")
    axes = figure.subplots(1, len(views), width_ratios=wide)
    for axis, (image, organs) in zip(axes, views, strict=True):
        axis.imshow(image, cmap="gray", vmin=-125, vmax=275, interpolation="bilinear")
        for label in bundle.card.table:
            mask = organs == label.value
            if mask.any():
                axis.contour(mask, levels=[0.5], colors=[label.color], linewidths=1.6)
                axis.contourf(mask, levels=[0.5, 1.5], colors=[label.color], alpha=0.25)
        axis.axis("off")
    figure.legend(
        handles=[Patch(color=label.color, label=label.name) for label in bundle.card.table],
        loc="lower center", ncols=4, frameon=False, labelcolor="white", fontsize=11,
    )  # fmt: skip
    figure.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.09, wspace=0.03)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=100, facecolor="black")


if __name__ == "__main__":
    main()
