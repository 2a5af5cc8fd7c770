"""A ball that a model has seen too small, and what it remembers of the scan."""

import numpy as np
from cmcseg.core.grid import Grid
from cmcseg.core.mark import Mark
from cmcseg.predict.scan_memory import ScanMemory

GRID = Grid(shape=(60, 60, 14), affine=np.diag([1.5, 1.5, 6.0, 1.0]))
MIDDLE, RADIUS, FOUND = (30, 30, 7), 24.0, 17.0  # voxels, mm, mm


def ball(radius, middle=MIDDLE):
    """A ball on the grid."""
    index = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1)
    return np.linalg.norm((index - np.array(middle)) * GRID.spacing, axis=-1) < radius


def a_memory(classes=3, seed=0):
    """The scan is bright in the true ball (24 mm); the model is sure of a smaller one (17 mm)."""
    chance = np.random.default_rng(seed)
    truth, found = ball(RADIUS), ball(FOUND)
    image = np.where(truth, 1.0, -1.0) + chance.normal(0, 0.2, GRID.shape)
    p = np.zeros((classes, *GRID.shape), dtype=np.float16)
    p[1] = np.where(found, 0.9, np.where(truth, 0.3, 0.05))
    p[0] = 1 - p[1]
    features = np.stack([image[::2, ::2], chance.normal(size=GRID.shape)[::2, ::2]])
    memory = ScanMemory(
        grid=GRID,
        image=image.astype(np.float16),
        probabilities=p,
        features=features.astype(np.float16),
        to_working=np.eye(4),
        patch=(2, 2, 1),
    )
    return memory, found.astype(np.uint8), truth


def stroke_beyond(is_organ=True, value=1, plane=7):
    """Along the rim that the model has missed, half-way between its border and the true one."""
    angles = np.linspace(-0.7, 0.7, 40)
    at = np.stack([20.5 * np.cos(angles) / 1.5, 20.5 * np.sin(angles) / 1.5], axis=1)
    voxels = np.round(at + MIDDLE[:2]).astype(int)
    return Mark(value=value, is_organ=is_organ, voxels=np.insert(voxels, 2, plane, axis=1))


def remembered(volume):
    """What a model remembers that says of every voxel what its value says."""
    array = volume.array.astype(np.float32)
    p = np.stack([array <= 0, array > 0, array < -2000]).astype(np.float16) * 0.8 + 0.1
    return ScanMemory(
        grid=volume.grid,
        image=(array / 1000).astype(np.float16),
        probabilities=p,
        features=(array[None] / 1000).astype(np.float16),
        to_working=np.eye(4),
        patch=(1, 1, 1),
    )
