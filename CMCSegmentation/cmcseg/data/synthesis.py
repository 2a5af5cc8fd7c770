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
from cmcseg.data.phantoms.build import SHORT_AXES, Build, draw_build
from cmcseg.data.phantoms.looks import Look, bssfp, lge, portal_venous_ct, t2_spir
from cmcseg.data.phantoms.sculpt import sculpt
from cmcseg.data.phantoms.solids import Block, Rng, smooth_noise
from cmcseg.imaging.resample import LPS, resample, to_array, to_image

ROLES = {"abdomen": ("ct", "mr"), "heart": ("bssfp", "lge")}
ORGANS = {
    "abdomen": ("liver", "right kidney", "left kidney", "spleen"),
    "heart": ("right ventricle", "myocardium", "left ventricle"),
}
_STREAMS = ("person", "clay", "scanner", "motion", "warp", "look", "noise")
_LOOKS = {"ct": portal_venous_ct, "mr": t2_spir, "bssfp": bssfp, "lge": lge}
# Per role: deviation of the coils' unevenness, and the noise as a share of the brightest tissue.
_FAULTS = {
    "mr": (0.25, (0.010, 0.035)),
    "bssfp": (0.2, (0.02, 0.05)),
    "lge": (0.25, (0.03, 0.09)),
}
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
        task: ``abdomen`` (roles ct and mr) or ``heart`` (bssfp and lge).
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
    if strange := [label.name for label in table if label.name not in ORGANS[task]]:
        raise BadInput(
            f"The {task} phantom has no {strange[0]!r}; it has {', '.join(ORGANS[task])}."
        )
    build = draw_build(rng["person"])
    middle = _middle(task, rng["scanner"])
    grids = _file_grids(task, build, middle, rng["scanner"])
    block = sculpt(build, _block_grid(task, build, middle, grids), middle, rng["clay"])
    motion = true_motion(task, seed, shift_mm, angle_deg)
    texture = smooth_noise(rng["look"], block.grid, scale_mm=5.0)
    shares = {label.value: _organ_share(block, label.name, 4 * elastic_mm) for label in table}
    scans = {}
    for role in ROLES[task]:
        seen = {0: _painted(block, role, _LOOKS[role](rng["look"]), texture), **shares}
        matrix = None
        if role == ROLES[task][1]:
            matrix = np.linalg.inv(motion)
            if elastic_mm:
                field = _warp_field(block.grid, elastic_mm, rng["warp"])
                seen = {value: _warped(volume, field) for value, volume in seen.items()}
        scans[role] = _scan(role, seen, grids[role], matrix, table, rng["noise"])
    return scans


def true_motion(task: str, seed: int, shift_mm: float, angle_deg: float) -> np.ndarray:
    """The rigid part of the motion that ``make_pair`` gives a phantom.

    Returns:
        4 x 4 RAS matrix in mm from the second scan's world to the first one's. An elastic warp,
        if any, comes after it, in the first scan's world.
    """
    rng = _streams(task, seed)
    middle = _middle(task, rng["scanner"]) + _pivot(task, draw_build(rng["person"]))
    way, axis = rng["motion"].normal(size=(2, 3))
    turn = _rotation(axis, np.radians(angle_deg))
    moved = np.eye(4)
    moved[:3, :3] = turn
    moved[:3, 3] = middle - turn @ middle + shift_mm * way / np.linalg.norm(way)
    return np.linalg.inv(moved)


def _streams(task: str, seed: int) -> dict[str, Rng]:
    if task not in ROLES:
        raise BadInput(f"There is no phantom for {task!r}; there are {' and '.join(ROLES)}.")
    if seed < 0:
        raise BadInput(f"A phantom's seed is a whole number from 0 on, not {seed}.")
    number = list(ROLES).index(task)
    return {name: np.random.default_rng([seed, number, k]) for k, name in enumerate(_STREAMS)}


def _middle(task: str, rng: Rng) -> np.ndarray:
    """World position of the origin of the body's coordinates: patients lie as they like."""
    jitter = rng.uniform(-1, 1, size=3)
    if task == "heart":
        return np.array([0.0, 5.0, -165.0]) + jitter * (10, 15, 50)
    return jitter * (60, 40, 80)


def _pivot(task: str, build: Build) -> np.ndarray:
    """The middle of what the task looks at, in body coordinates."""
    if task == "heart":
        return build.heart_base - 0.5 * build.heart_length * SHORT_AXES[:, 2]
    return np.array([0.0, build.front, 40.0])


# Where the voxels lie


def _file_grids(task: str, build: Build, middle: np.ndarray, rng: Rng) -> dict[str, Grid]:
    if task == "heart":
        return _heart_grids(middle + _pivot(task, build), rng)
    front, width, depth = build.front, build.half_width, build.half_depth
    axes = np.diag([-1.0, 1.0, 1.0])
    view = 2 * width * 1.04 + rng.uniform(4, 40)
    pixel = float(np.clip(view / 257, 1.2, 1.6))
    slab = float(rng.choice([3.0, 3.0, 3.0, 4.0, 5.0]))
    top, length = build.dome + rng.uniform(8, 35), rng.uniform(260, 400)
    tall = 2 * depth + rng.uniform(15, 50)
    shape = (257, int(tall / pixel), int(length / slab))
    center = middle + np.array([rng.normal(0, 5), front - 8, top - length / 2])
    ct = _grid(center, axes, (pixel, pixel, slab), shape)
    slices = int(rng.integers(31, 39))
    offset = rng.normal(0, (8, 8, 6))
    center = middle + offset + np.array([0, front, build.dome + 15 - slices * 3.85])
    return {"ct": ct, "mr": _grid(center, axes, (1.25, 1.25, 7.7), (256, 256, slices))}


def _heart_grids(center: np.ndarray, rng: Rng) -> dict[str, Grid]:
    tilt = _rotation(rng.normal(size=3), rng.normal(0, 0.1)) @ SHORT_AXES
    offset = tilt @ rng.normal((-10, 0, 6), 8)
    slices = int(rng.integers(12, 16))
    bssfp = _grid(center + offset, tilt, (1.25, 1.25, 8.0), (256, 256, slices))
    pixels, view = ((480, 350.0), (512, 384.0), (432, 324.0))[int(rng.integers(3))]
    offset = offset + tilt @ rng.normal(0, (6, 6, 2), size=3)
    spacing = (view / pixels, view / pixels, 5.0)
    shape = (pixels, pixels, int(rng.integers(15, 20)))
    return {"bssfp": bssfp, "lge": _grid(center + offset, tilt, spacing, shape)}


def _block_grid(task: str, build: Build, middle: np.ndarray, grids: dict[str, Grid]) -> Grid:
    """Fine enough for thin walls, large enough for both views and what moves into them."""
    axes, step = np.eye(3), (2.0, 2.0, 2.5)
    if task == "heart":
        axes = grids["bssfp"].direction
    corners = np.concatenate([grid.corners() for grid in grids.values()]) @ axes
    # The second view must not run out of body; the first one must not depend on the motion.
    spare = np.array([15.0, 15.0, 25.0 if task == "heart" else 35.0])
    low, high = corners.min(axis=0) - spare, corners.max(axis=0) + spare
    if task == "abdomen":
        half = np.array([build.half_width * 1.15 + 6, build.half_depth + 6, 1e3])
        center = middle + np.array([0, build.front, 0])
        low = np.maximum(low, center - half - (0, 20, 0))
        high = np.minimum(high, center + half)
    shape = tuple(np.ceil((high - low) / step).astype(int).tolist())
    return _grid(axes @ (low + high) / 2, axes, step, shape)


def _grid(center: np.ndarray, axes: np.ndarray, spacing: tuple, shape: tuple) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.round(axes * np.array(spacing), 9)
    affine[:3, 3] = np.round(center - affine[:3, :3] @ ((np.array(shape) - 1) / 2), 6)
    return Grid(shape=shape, affine=affine)


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula; angle in radians."""
    cross = np.cross(np.eye(3), axis / np.linalg.norm(axis))
    return np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


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
    rng: Rng,
) -> PhantomScan:
    """Sample the image (key 0) and the organs' shares on a file's grid, and add its faults."""
    image = _sampled(seen[0], grid, matrix, -1000.0 if role == "ct" else 0.0)
    best = np.full(grid.shape, 0.5, dtype=np.float32)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for label in table:
        share = _sampled(seen[label.value], grid, matrix, 0.0)
        np.copyto(labels, np.uint8(label.value), where=share >= best)
        np.maximum(best, share, out=best)
    image = _ct_faults(image, rng) if role == "ct" else _mr_faults(role, image, grid, rng)
    volume = Volume(
        array=np.rint(image).astype(np.int16),
        grid=grid,
        facts={"modality": "CT" if role == "ct" else "MR", "series": f"phantom {role}"},
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


def _mr_faults(role: str, image: np.ndarray, grid: Grid, rng: Rng) -> np.ndarray:
    """Uneven coils, Rician noise, and a background that the scanner has cleaned."""
    strength, (low, high) = _FAULTS[role]
    bias = smooth_noise(rng, grid, scale_mm=140.0) * np.float32(rng.uniform(0.4, 1.0) * strength)
    image = np.maximum(image, 0) * (1 + bias + bias * bias * np.float32(0.5))
    if role != "mr":
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
