"""What holds a body together: fat, muscle, bones, lungs and the great vessels."""

import numpy as np

from cmcseg.data.phantoms.build import Build
from cmcseg.data.phantoms.solids import Block, band, cylinder, pipe, smooth_max, smooth_min


def lay_trunk(block: Block, build: Build) -> tuple[np.ndarray, np.ndarray]:
    """Fat, muscle, ribs and lungs; returns distances into the cavity and below the diaphragm."""
    x, z = block.x, block.z
    y = block.y + np.float32(0.16) * np.maximum(z - 75, 0)  # the breastbone leans back
    everywhere = block.everywhere()
    rest = build.front - build.half_depth - 14
    table = 2 - np.abs(y - x * x * np.float32(1 / 900) - np.float32(rest))
    block.add("table", np.minimum(table, 190 - np.abs(x)), everywhere)

    # Chest and hips are wider than the waist.
    s = z * np.float32(1 / 200)
    wide = 1 + np.float32(0.10) * s * s
    u = x / (wide * np.float32(build.half_width))
    v = (y - np.float32(build.front)) / (wide * np.float32(build.half_depth))
    # Between an ellipse and a rounded box.
    u, v = u * u, v * v
    r = np.sqrt(u + v) * np.float32(0.68) + np.sqrt(np.sqrt(u * u + v * v)) * np.float32(0.32)
    r = r + np.float32(1e-4)
    reach = np.sqrt(x * x + (y - np.float32(build.front)) ** 2)
    body = reach * (1 / r - 1)
    groove = cylinder(0, build.front - build.half_depth - 4, 9, 12)(x, y, z)
    body = smooth_min(body, -groove, 8)
    block.add("skin", body, everywhere)
    block.add("fat", body - 2, everywhere)

    thin = 1 - np.float32(0.45) * np.clip(s, 0, 1)  # less fat on the chest than on the belly
    inner = body - build.fat * thin * (1 + np.float32(0.05) * block.rough)
    block.add("muscle", inner, everywhere)
    shoulder = np.abs(x) * np.clip(z * np.float32(1 / 110) - 1.5, 0, 1)
    cavity = inner - build.wall * (1 - np.float32(0.1) * np.clip(s, 0, 1)) - shoulder * 0.14
    back = np.clip(z * np.float32(1 / 120), 0, 1)
    a = x / (64 - 26 * back)
    b = (y + 50) / (36 - 9 * back)
    cavity = smooth_min(cavity, (np.sqrt(a * a + b * b) - 1) * 38, 6)
    block.add("visceral fat", cavity, everywhere)

    dome = _dome(build, x, block.y)
    lung = smooth_min(cavity - 1, z - dome - 3, 4)
    chest = cylinder(-4, 34, 34, 68)(x, y, z)
    block.add("mediastinum", smooth_min(cavity, z - dome, 6), everywhere)
    lung = smooth_min(lung, -chest, 5)
    block.add("lung", lung, everywhere)
    block.add("artery", np.minimum(lung - 6, 4 * block.rough - 10), everywhere)
    diaphragm = 1.8 - np.abs(z - dome - 1.5)
    block.add("muscle", np.minimum(diaphragm, np.minimum(cavity, -chest)), everywhere)
    _ribs(block, build, inner)
    return cavity, dome - z


def lay_vessels(block: Block, build: Build) -> None:
    """Pancreas, great vessels and the psoas muscles."""
    depth = build.cavity_depth / 86
    head, neck, tail = (20, 42 * depth, -2), (-2, 50 * depth, 20), (-62, 12 * depth, 40)
    _tube(block, "pancreas", [head, neck, (-30, 36 * depth, 30), tail], [14, 9, 10, 8], rough=2.5)
    _tube(block, "vein", [(6, 44, -70), (6, 40 * depth, 12), (24, 33, 52)], [5.5, 6, 6.5])
    _tube(block, "vein", [(6, 38 * depth, 14), (-32, 24 * depth, 28), (-72, 2, 42)], [4.5, 4, 3.5])
    top = build.dome
    cava = [(34, 8, -150), (21, 22, -92), (22, 24, 30), (20, 30, top - 40), (14, 38, top + 25)]
    _tube(block, "cava", cava, [8, 10.5, 11.5, 12.5, 13])
    aorta = [
        (-13, 22, -88),
        (-13, 25, 30),
        (-11, 14, top - 10),
        (-21, -2, top + 60),
        (-24, -4, top + 170),
    ]
    _tube(block, "gut", aorta, [10.5, 11.5, 12.5, 13.5, 14])
    _tube(block, "artery", aorta, [9, 10, 11, 12, 12.5])
    for side in (1, -1):
        _tube(block, "artery", [(-13, 22, -88), (side * 34, 12, -150)], [6, 5.5])
        muscle = [(side * 24, -4, 25), (side * 36, 2, -50), (side * 46, 12, -130)]
        _tube(block, "muscle", muscle, [8, 19, 22])
    _tube(block, "artery", [(-12, 26, 22), (-2, 50, -20), (0, 52, -80)], [4, 4, 3])


def lay_spine(block: Block, build: Build) -> None:
    """Vertebrae, discs and the cord in its fluid."""
    low, high = block.z.min(), block.z.max()
    box = block.box((-60, -75, low), (60, 30, high))
    x, y, z = block.x[box], block.y[box], block.z[box]
    # Vertebrae get smaller upwards, and the chest's spine lies further back.
    lift = np.clip(z * np.float32(1 / 150), 0, 2)
    y = y + 9 * lift * lift
    size = 1 - np.float32(0.13) * lift
    a, b = x / (24 * size), y / (17 * size)
    column = (1 - np.sqrt(a * a + b * b)) * 19
    level = band(z, 35.0, build.disc_phase)  # 0 in the middle of a vertebra, 17.5 in a disc
    hole = cylinder(0, -24, 9, 8)(x, y, z)
    arch = np.minimum(smooth_min(hole + 5, 13 - level, 3), 14 - np.abs(x))
    spike = np.minimum(np.minimum(4 - np.abs(x), 13 - level), np.minimum(y + 60, -28 - y))
    wings = np.minimum(np.minimum(5 - np.abs(y + 20), 6 - level), 40 - np.abs(x))
    bone = smooth_max(smooth_max(arch, spike, 3), wings, 3)
    block.add("cortex", bone, box)
    block.add("marrow", bone - 2.5, box)
    block.add("cortex", column, box)
    block.add("marrow", np.minimum(column - 2, 12 - level), box)
    block.add("disc", np.minimum(column - 1, level - 14), box)
    block.add("fluid", hole, box)
    block.add("cord", cylinder(0, -24, 4.5, 4)(x, y, z), box)


def _dome(build: Build, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of the diaphragm: a right and a left dome and a saddle under the heart."""
    width = build.cavity_width
    curve = np.float32(1.04 / width)
    fall = _fall(y - np.float32(0.4 * build.cavity_depth))
    right = build.dome - ((x - np.float32(0.47 * width)) ** 2 + fall) * curve
    saddle = build.dome - 24 - (x * x * np.float32(0.4) + fall) * curve
    fall = _fall(y - np.float32(0.22 * build.cavity_depth))
    left = build.dome - 10 - ((x + np.float32(0.54 * width)) ** 2 + fall) * curve
    return smooth_max(smooth_max(right, left, 12), saddle, 12)


def _fall(depth: np.ndarray) -> np.ndarray:
    """Squared distance from the dome's top, steeper behind than in front."""
    depth = depth * np.where(depth > 0, np.float32(0.55), np.float32(1.05))
    return depth * depth


def _ribs(block: Block, build: Build, inner: np.ndarray) -> None:
    x, y, z = block.x, block.y, block.z
    everywhere = block.everywhere()
    shell = np.abs(inner - np.float32(0.55 * build.wall))
    # Ribs run down towards the front; the lowest ones do not get there.
    along = band(z + np.float32(0.95) * y + np.float32(0.25) * np.abs(x), 34.0, build.rib_phase)
    margin = np.minimum(z + 25, z - y + np.float32(0.25 * build.cavity_depth))
    rib = np.minimum(np.minimum(4 - shell, 7 - along), margin)
    rib = np.minimum(rib, np.maximum(np.abs(x) - 34, y))
    gristle = y - np.float32(build.front + 0.62 * build.cavity_depth)
    block.add("cartilage", np.minimum(rib, gristle), everywhere)
    rib = np.minimum(rib, -gristle)
    block.add("cortex", rib, everywhere)
    block.add("marrow", rib - 2, everywhere)
    sternum = np.minimum(5 - np.abs(inner - 7), 17 - np.abs(x))
    sternum = np.minimum(np.minimum(sternum, y - build.front), z - (build.dome - 28))
    block.add("cortex", sternum, everywhere)
    block.add("marrow", sternum - 2, everywhere)
    wing = np.minimum(
        6 - np.abs(inner - np.float32(0.6 * build.wall)), -88 - z - np.abs(y - 15) * 0.5
    )
    wing = np.minimum(np.minimum(wing, 55 - y), np.abs(x) - 30)
    block.add("cortex", wing, everywhere)
    block.add("marrow", wing - 2.5, everywhere)


def _tube(block: Block, tissue: str, points: list, radii: list[float], rough: float = 0.0) -> None:
    for a, b, r, q in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
        reach = max(r, q)
        box = block.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
        block.add(tissue, pipe(a, b, r, q), box, rough_mm=rough)
