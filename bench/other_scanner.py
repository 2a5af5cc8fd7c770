"""Abdominal MR as another scanner could have made it, and single marks in place of label maps.

A second hospital's abdomens are not at hand, so those that are get what a change of protocol and of
the coil does to a scan: signal to the power `POWER` (a smaller flip angle flattens the contrast of
T1), a surface coil whose sensitivity falls with the depth in the patient and is not corrected for,
less signal for the same noise, and a field of view that ends beside the organs. Marks stand in
every `EVERY`th slice: the core of each organ, and a line of background around all of them.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

POWER = 0.6
DEPTH_MM = 120.0  # over which the coil loses all but 1/e of its signal
NOISE = 0.03  # of the 99th percentile
MARGIN_MM = 15.0  # of the field of view around the organs, across the patient
EVERY = 4  # slices from mark to mark
NOT_MARKED = 255


def altered(image: Path, labels: Path, out: Path, seed: int) -> tuple[Path, Path, Path]:
    """Write scan, label map and marks below `out`; their paths."""
    scan, truth = sitk.ReadImage(str(image), sitk.sitkFloat32), sitk.ReadImage(str(labels))
    low, high = within(truth)
    scan, truth = (
        scan[low[0] : high[0], low[1] : high[1]],
        truth[low[0] : high[0], low[1] : high[1]],
    )
    values = sitk.GetArrayFromImage(scan)
    bright = max(float(np.percentile(values, 99)), 1.0)
    values = bright * np.clip(values / bright, 0, None) ** POWER
    deep = np.arange(values.shape[1]) * scan.GetSpacing()[1]  # rows run from front to back (LPS)
    if scan.GetDirection()[4] < 0:
        deep = deep[::-1]
    values = values * np.exp(-deep / DEPTH_MM)[None, :, None]
    bright = float(np.percentile(values, 99))
    values += np.random.default_rng(seed).normal(0, NOISE * bright, values.shape)
    paths = tuple(out / f"{image.name.split('.')[0]}_{n}.nii.gz" for n in ("mr", "labels", "marks"))
    out.mkdir(parents=True, exist_ok=True)
    drawn = sitk.GetArrayFromImage(truth)
    for array, path in zip(
        (np.clip(values, 0, 32000).astype(np.int16), drawn, marks(drawn)), paths, strict=True
    ):
        picture = sitk.GetImageFromArray(array)
        picture.CopyInformation(scan)
        sitk.WriteImage(picture, str(path))
    return paths


def within(truth: sitk.Image) -> tuple[list[int], list[int]]:
    """First and last index across the patient, in x and y, that the field of view keeps."""
    drawn = sitk.GetArrayViewFromImage(truth) > 0
    low, high = [], []
    for axis, along in ((0, (0, 1)), (1, (0, 2))):
        found = np.flatnonzero(drawn.any(axis=along))
        margin = round(MARGIN_MM / truth.GetSpacing()[axis])
        low.append(int(max(0, found[0] - margin)))
        high.append(int(min(truth.GetSize()[axis], found[-1] + 1 + margin)))
    return low, high


def marks(labels: np.ndarray) -> np.ndarray:
    """Organs' cores and a line around all organs, in some slices; elsewhere `NOT_MARKED`."""
    out = np.full(labels.shape, NOT_MARKED, np.uint8)
    for k in range(0, labels.shape[0], EVERY):
        away = -depth_in(labels[k] > 0)
        out[k][(away >= 6) & (away < 8)] = 0
        for value in np.unique(labels[k][labels[k] > 0]):
            depth = depth_in(labels[k] == value)
            out[k][depth > 0.6 * depth.max()] = value
    return out


def depth_in(mask: np.ndarray) -> np.ndarray:
    """How many voxels a place lies inside; outside it is negative."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    return -sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
    )
