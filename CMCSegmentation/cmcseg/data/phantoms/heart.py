"""The heart: four chambers and the roots of two vessels; the ventricles are labelled."""

import numpy as np

from cmcseg.data.phantoms.build import SHORT_AXES, Build
from cmcseg.data.phantoms.solids import Block, ellipsoid, frame, pipe, smooth_max, smooth_min


def lay_heart(block: Block, build: Build, cavity: np.ndarray) -> None:
    """Chambers, muscle, scar and fat; ``cavity`` is the distance into the chest's inside."""
    base, axes = build.heart_base, SHORT_AXES
    box = block.box(base - 125, base + 125)
    p = [c[box] - np.float32(o) for c, o in zip((block.x, block.y, block.z), base, strict=True)]
    # u to the left and back, v upwards, w from the base to the apex.
    u, v, w = (
        sum(q * np.float32(n) for q, n in zip(p, way, strict=True))
        for way in (axes[:, 0], axes[:, 1], -axes[:, 2])
    )
    if not u.size:
        return
    R, L, T = build.ventricle, build.heart_length, build.myocardium
    chest = cavity[box]
    outside = smooth_min(ellipsoid((0, 0, 0.12 * L), (R, R, 0.88 * L))(u, v, w), chest, 3)
    inside = ellipsoid((0, 0, 0.12 * L), (R - T, R - T, 0.88 * L - 0.8 * T))(u, v, w)
    right = ellipsoid(
        (-0.80 * R, 0.1 * R, 0.08 * L), np.array((1.08 * R, 1.3 * R, 0.80 * L)) * build.chamber
    )(u, v, w)
    right = smooth_min(smooth_min(right, chest - 4, 4), -outside - 0.5, 3)
    valve = w + np.float32(0.06) * u
    atria = smooth_max(
        ellipsoid((6, -4, -24), (27, 33, 25))(u, v, w),
        ellipsoid((-46, -14, -26), (26, 30, 27))(u, v, w),
        4,
    )
    root = pipe((-14, 6, 2), (-26, 36, -38), 14, 14)(u, v, w)
    outflow = pipe((-38, 34, 12), (-18, 58, -38), 15, 13)(u, v, w)
    vessels = smooth_max(atria, smooth_max(root, outflow, 2), 2)
    everything = smooth_max(smooth_max(outside, right + 3, 6), vessels + 3, 6)
    block.add("heart fat", np.minimum(everything + 3.5, chest + 1), box, rough_mm=2.5)
    block.add("myocardium", np.minimum(vessels + 2.5, 4 - valve), box)
    block.add("blood right", vessels, box)
    block.add("blood left", np.maximum(ellipsoid((6, -4, -24), (25, 31, 23))(u, v, w), root), box)
    block.add("myocardium", smooth_min(right + 3.5, valve, 3), box, rough_mm=0.5)
    block.add(
        "blood right", smooth_min(right, valve, 3), box, organ="right ventricle", rough_mm=0.8
    )
    # The wall is labelled whole; its lumen is laid over it.
    wall = block.add("myocardium", smooth_min(outside, valve, 3), box, organ="myocardium")
    if build.scar:
        way = np.array([np.cos(build.scar_angle), np.sin(build.scar_angle), 0.0])
        center = way * (R - 0.75 * T) + (0, 0, 0.4 * L)
        turn = frame(np.array([0, 0, 1.0]), way)
        spot = ellipsoid(center, (build.scar * R * 0.55, 0.42 * T, 0.3 * L), turn)(u, v, w)
        block.add("scar", spot, box, organ="myocardium", within=wall, rough_mm=1.0)
    block.add("blood left", smooth_min(inside, valve, 3), box, organ="left ventricle", rough_mm=0.5)
    for angle in (0.9, -2.3):
        foot = (R - T) * 0.68 * np.array([np.cos(angle), np.sin(angle)])
        papillary = pipe((*foot, 0.30 * L), (*(foot * 1.05), 0.62 * L), 3.5, 5.5)(u, v, w)
        block.add(
            "myocardium", np.minimum(papillary, inside), box, organ="left ventricle", rough_mm=1.0
        )
