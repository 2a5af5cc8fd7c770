"""Pairs of scans of a phantom, with the truth: its organs and how it moved in between.

Chance is drawn once per seed, from streams of their own for the person, the scanners, the motion
and the noise; so a pair that moves more is otherwise the same pair. The same arguments give the
same bytes.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap, LabelTable
from cmcseg.core.volume import Volume
from cmcseg.data.phantoms.orbit import ORBIT
from cmcseg.data.phantoms.phantom_kind import Faults, PhantomKind, rotation
from cmcseg.data.phantoms.solids import Block, Rng, smooth_noise
from cmcseg.data.phantoms.tissue_contrast import Look
from cmcseg.data.phantoms.torso import ABDOMEN, HEART
from cmcseg.imaging.resample import LPS, resample, to_array, to_image

# A task's place in this table is part of its seeds: new ones go to the end.
KINDS: dict[str, PhantomKind] = {"abdomen": ABDOMEN, "heart": HEART, "orbit": ORBIT}
_STREAMS = ("person", "clay", "scanner", "motion", "warp", "look", "noise")
# Where fat meets these, opposed phases leave a black line in balanced steady state.
_INKED = ("muscle", "liver", "spleen", "gut", "kidney", "myocardium", "artery", "vein", "cava")


@dataclass(frozen=True, kw_only=True, eq=False)
class PhantomScan:
    """A scan that no scanner made.

    Attributes:
        volume: what it looks like.
        truth: its organs, on the same grid.
    """

    volume: Volume
    truth: LabelMap


def make_pair(
    task: str,
    table: LabelTable,
    *,
    seed: int,
    shift_mm: float = 0.0,
    angle_deg: float = 0.0,
    elastic_mm: float = 0.0,
) -> dict[str, PhantomScan]:
    """Two scans of one phantom; in the second one it lies differently.

    Args:
        task: ``abdomen`` (roles ct and mr), ``heart`` (bssfp and lge) or ``orbit`` (t1 and t2).
        table: the organs to label; their names must be known to the phantom.
        seed: decides everything that the other arguments leave open.
        shift_mm: how far the body has moved before the second scan, in a random direction.
        angle_deg: by how much it has turned, about a random axis through its middle.
        elastic_mm: root mean square of the smooth warp on top of that.

    Returns:
        A scan per role, first role first. Intensities are int16: HU for ct, else arbitrary.

    Raises:
        BadInput: for a task or an organ that there is no phantom of.
    """
    rng = _streams(task, seed)
    kind = KINDS[task]
    if strange := [label.name for label in table if label.name not in kind.organs]:
        raise BadInput(
            f"The {task} phantom has no {strange[0]!r}; it has {', '.join(kind.organs)}."
        )
    person = kind.draw(rng["person"])
    middle = kind.middle(rng["scanner"])
    grids = kind.views(person, middle, rng["scanner"])
    block = kind.place_tissues(person, kind.space(person, middle, grids), middle, rng["clay"])
    motion = true_motion(task, seed, shift_mm, angle_deg)
    texture = smooth_noise(rng["look"], block.grid, scale_mm=5.0)
    shares = {label.value: _organ_share(block, label.name, 4 * elastic_mm) for label in table}
    scans = {}
    for role in kind.roles:
        seen = {0: _painted(block, role, kind.contrasts[role](rng["look"]), texture), **shares}
        matrix = None
        if role == kind.roles[1]:
            matrix = np.linalg.inv(motion)
            if elastic_mm:
                field = _warp_field(block.grid, elastic_mm, rng["warp"])
                seen = {value: _warped(volume, field) for value, volume in seen.items()}
        scans[role] = _scan(
            role, seen, grids[role], matrix, table, kind.faults.get(role), rng["noise"]
        )
    return scans


def true_motion(task: str, seed: int, shift_mm: float, angle_deg: float) -> np.ndarray:
    """The rigid part of the motion that ``make_pair`` gives a phantom.

    Returns:
        4 x 4 RAS matrix in mm from the second scan's world to the first one's. An elastic warp,
        if any, comes after it, in the first scan's world.
    """
    rng = _streams(task, seed)
    kind = KINDS[task]
    middle = kind.middle(rng["scanner"]) + kind.pivot(kind.draw(rng["person"]))
    way, axis = rng["motion"].normal(size=(2, 3))
    turn = rotation(axis, np.radians(angle_deg))
    moved = np.eye(4)
    moved[:3, :3] = turn
    moved[:3, 3] = middle - turn @ middle + shift_mm * way / np.linalg.norm(way)
    return np.linalg.inv(moved)


def _streams(task: str, seed: int) -> dict[str, Rng]:
    if task not in KINDS:
        raise BadInput(f"There is no phantom for {task!r}; there are {', '.join(KINDS)}.")
    if seed < 0:
        raise BadInput(f"A phantom's seed is a whole number from 0 on, not {seed}.")
    number = list(KINDS).index(task)
    return {name: np.random.default_rng([seed, number, k]) for k, name in enumerate(_STREAMS)}


# How the tissues look


def _painted(block: Block, role: str, look: Look, texture: np.ndarray) -> Volume:
    """What a perfect scanner would see, on the block's grid."""
    image = np.full(block.grid.shape, look["air"][0], dtype=np.float32)
    for layer in block.layers:
        share = layer.share * np.float32(1 / 255)
        mean, spread = (np.float32(v) for v in look[layer.tissue])
        part = image[layer.box]
        part += share * (mean + spread * texture[layer.box] - part)
        if role == "bssfp" and layer.tissue in _INKED:
            part *= 1 - np.float32(2.4) * share * (1 - share)
    return Volume(array=image, grid=block.grid)


def _organ_share(block: Block, organ: str, spare_mm: float) -> Volume:
    """How much of each voxel an organ fills, 0 to 1, on the part of the block around it."""
    boxes = [layer.box for layer in block.layers if layer.organ == organ and layer.share.size]
    spare = [int(np.ceil(spare_mm / s)) + 1 for s in block.grid.spacing]
    whole = tuple(
        slice(
            max(min(b[a].start for b in boxes) - spare[a], 0),
            max(b[a].stop for b in boxes) + spare[a],
        )
        for a in range(3)
    )
    share = np.zeros(block.grid.shape, dtype=np.float32)
    begun = False
    for layer in block.layers:
        begun = begun or layer.organ == organ
        if begun:
            part = share[layer.box]
            part += layer.share * np.float32(1 / 255) * (np.float32(layer.organ == organ) - part)
    return Volume(array=share[whole], grid=_cropped(block.grid, whole))


def _cropped(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world([s.start for s in box])
    shape = tuple(min(s.stop, n) - s.start for s, n in zip(box, grid.shape, strict=True))
    return Grid(shape=shape, affine=affine)


# What a scanner makes of it


def _scan(
    role: str,
    seen: dict[int, Volume],
    grid: Grid,
    matrix: np.ndarray | None,
    table: LabelTable,
    faults: Faults | None,
    rng: Rng,
) -> PhantomScan:
    """Sample the image (key 0) and the organs' shares on a file's grid, and add its faults."""
    image = _sampled(seen[0], grid, matrix, 0.0 if faults else -1000.0)
    best = np.full(grid.shape, 0.5, dtype=np.float32)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for label in table:
        share = _sampled(seen[label.value], grid, matrix, 0.0)
        np.copyto(labels, np.uint8(label.value), where=share >= best)
        np.maximum(best, share, out=best)
    image = _mr_faults(image, grid, faults, rng) if faults else _ct_faults(image, rng)
    volume = Volume(
        array=np.rint(image).astype(np.int16),
        grid=grid,
        facts={"modality": "MR" if faults else "CT", "series": f"phantom {role}"},
    )
    return PhantomScan(volume=volume, truth=LabelMap(array=labels, grid=grid, table=table))


def _sampled(volume: Volume, grid: Grid, matrix: np.ndarray | None, fill: float) -> np.ndarray:
    """``resample``, but only where the volume lies."""
    moved = volume.grid if matrix is None else volume.grid.moved(matrix)
    index = grid.index(moved.corners())
    low = np.clip(np.floor(index.min(axis=0)), 0, grid.shape).astype(int).tolist()
    high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, grid.shape).astype(int).tolist()
    result = np.full(grid.shape, fill, dtype=np.float32)
    if all(a < b for a, b in zip(low, high, strict=True)):
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        target = _cropped(grid, box)
        result[box] = resample(volume.array, volume.grid, target, matrix=matrix, fill=fill)
    return result


def _ct_faults(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Grainy noise; the reconstruction has smoothed it within the slice."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    for axis in (0, 1):
        noise = noise + np.float32(0.5) * (np.roll(noise, 1, axis) + np.roll(noise, -1, axis))
    # Weights 1/2, 1, 1/2 along two axes multiply the variance by 1.5 twice.
    return np.clip(image + np.float32(rng.uniform(6, 20) / 1.5) * noise, -1024, 2000)


def _mr_faults(image: np.ndarray, grid: Grid, faults: Faults, rng: Rng) -> np.ndarray:
    """Uneven coils, Rician noise, and a background that the scanner has cleaned."""
    low, high = faults.noise
    bias = smooth_noise(rng, grid, scale_mm=140.0) * np.float32(rng.uniform(0.4, 1.0) * faults.bias)
    image = np.maximum(image, 0) * (1 + bias + bias * bias * np.float32(0.5))
    if faults.near_coil:
        image *= _near_coil(grid, rng)
    level = np.float32(rng.uniform(low, high) * np.percentile(image[::4, ::4], 98))
    real = image + level * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = level * rng.standard_normal(image.shape, dtype=np.float32)
    floor = np.float32(rng.uniform(2, 6)) * level * level
    image = np.sqrt(np.maximum(real * real + imaginary * imaginary - floor, 0))
    return np.clip(image, 0, 32000)


def _near_coil(grid: Grid, rng: Rng) -> np.ndarray:
    """A coil on the chest: brighter in front, dark behind; and nothing beyond the gradients."""
    i, j = (np.linspace(-1, 1, n, dtype=np.float32) for n in grid.shape[:2])
    i, j = i[:, None, None], j[None, :, None]
    depth = np.float32(rng.uniform(0.1, 0.5)) * i + np.float32(rng.uniform(-0.2, 0.2)) * j
    gain = 1 / np.maximum(1 + depth, np.float32(0.4))
    if rng.random() < 0.7:
        u, v = i - np.float32(rng.uniform(-0.15, 0.05)), j - np.float32(rng.uniform(-0.1, 0.1))
        size = np.float32(rng.uniform(0.98, 1.3) ** 2)
        gain = gain * (u * u + v * v < size)
    return gain


# Elastic motion


def _warp_field(grid: Grid, elastic_mm: float, rng: Rng) -> sitk.Image:
    """Displacements in LPS mm on a coarse lattice over the block, root mean square as asked."""
    shape = tuple(int(np.ceil(e / 12)) + 1 for e in grid.extent)
    affine = grid.affine.copy()
    affine[:3, :3] = grid.direction * 12.0
    coarse = Grid(shape=shape, affine=affine)
    field = np.stack([smooth_noise(rng, coarse, scale_mm=50.0) for _ in range(3)], axis=-1)
    field -= field.mean(axis=(0, 1, 2))
    field *= elastic_mm / np.sqrt((field.astype(np.float64) ** 2).sum(axis=-1).mean())
    field = field.astype(np.float64) * np.diag(LPS)[:3]
    image = sitk.GetImageFromArray(np.ascontiguousarray(field.transpose(2, 1, 0, 3)), isVector=True)
    image.CopyInformation(to_image(np.zeros(shape, np.float32), coarse))
    return image


def _warped(volume: Volume, field: sitk.Image) -> Volume:
    """The volume after an elastic motion, on its own grid."""
    image = to_image(volume.array, volume.grid)
    # The transform takes its field away, so it gets a copy.
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    fill = float(volume.array[0, 0, 0])
    return Volume(
        array=to_array(sitk.Resample(image, image, transform, sitk.sitkLinear, fill)),
        grid=volume.grid,
    )
