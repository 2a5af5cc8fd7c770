"""The organs of the abdomen."""

from itertools import pairwise

import numpy as np

from cmcseg.data.phantoms.build import Build
from cmcseg.data.phantoms.solids import (
    Block,
    Layer,
    Rng,
    ellipsoid,
    frame,
    pipe,
    smooth_max,
    smooth_min,
)


def lay_bowel(block: Block, build: Build, cavity: np.ndarray, below: np.ndarray, rng: Rng) -> None:
    """Loops of small bowel in the middle, the colon as a frame around them."""
    room = block.mask(np.minimum(cavity - 3, below - 4), block.everywhere())
    depth, width = build.cavity_depth, build.cavity_width
    contents = ("chyme", "fluid", "contrast", "gas")
    odds = rng.dirichlet((3.0, 2.0, 1.5, 0.8))
    for _ in range(38):
        point = np.array([-12, 0.62 * depth, -65]) + rng.normal(size=3) * (54, 20, 50)
        step = rng.normal(size=3)
        loop = [point]
        for _ in range(6):
            step = 0.75 * step + rng.normal(size=3) * (1, 0.7, 0.8)
            home = np.array([-8, 0.6 * depth, -75]) - point
            step += home / (70, 35, 70) * 0.4
            point = point + 21 * step / np.linalg.norm(step)
            loop.append(point)
        filling = contents[int(rng.choice(4, p=odds))]
        _hose(block, loop, [rng.uniform(10, 15)] * 7, filling, room)
    scale = width / 130
    colon = [(100, 2, -150), (103, 2, -95), (98, 8, -45), (88, 45, -28), (45, 78, -40)]
    colon += [(0, 88, -48), (-45, 80, -30), (-84, 52, 30), (-100, 20, 50), (-107, 0, -15)]
    colon += [(-108, -2, -70), (-102, 4, -130), (-70, 20, -165)]
    points = [np.array(p) * (scale, depth / 86, 1) + rng.normal(0, 5, 3) for p in colon]
    sizes = build.colon * (23 + rng.normal(0, 3, len(points))) - np.arange(len(points)) * 0.5
    filling = ("stool", "stool", "gas", "contrast")[int(rng.integers(4))]
    _hose(
        block,
        _between(points),
        np.repeat(sizes, 2)[:-1] * rng.uniform(0.82, 1.12, 25),
        filling,
        room,
    )


def lay_spleen_and_stomach(
    block: Block, build: Build, cavity: np.ndarray, dome: np.ndarray
) -> None:
    """Spleen, then the stomach that dents it."""
    scale = build.cavity_width / 130
    width = build.cavity_width
    center = np.array([-0.72 * width, -24, 68])
    turn = frame(np.array([-0.25, -0.35, 0.9]), np.array([1.0, 0.35, 0.2]))
    size = build.spleen
    radii = (40 * size, 57 * size, 62 * size)
    box = block.box(center - 72 * size, center + 72 * size)
    inside = smooth_min(cavity[box] - 1.5, dome[box] - 3, 4)
    spleen = smooth_min(block.measure(ellipsoid(center, radii, turn), box), inside, 4)
    # It stays beside the kidney instead of reaching the spine.
    spleen = smooth_min(spleen, -block.x[box] - np.float32(0.34 * width + 16), 8)
    block.add("spleen", spleen, box, organ="spleen", rough_mm=1.0)

    fundus = np.array([-58 * scale, 16, build.dome - 46])
    body = np.array([-58 * scale, 0.55 * build.cavity_depth, 40])
    antrum = np.array([-8 * scale, 0.75 * build.cavity_depth, 8])
    pylorus = antrum + np.array([30, -15, 12])
    room = smooth_min(cavity - 2, dome - 4, 4)
    parts = []
    for a, b, r, q in (
        (fundus, body, 40, 35),
        (body, antrum, 31, 19),
        (antrum, pylorus, 17, 11),
    ):
        r, q = r * build.stomach, q * build.stomach
        box = block.box(np.minimum(a, b) - r, np.maximum(a, b) + r)
        distance = smooth_min(block.measure(pipe(a, b, r, q), box), room[box], 5)
        block.add("gut", distance, box, rough_mm=1.5)
        parts.append((box, distance - 4))
    for box, distance in parts:
        block.add("meal", distance, box, rough_mm=1.5)
        level = np.float32(0.62 * build.cavity_depth)
        block.add("gas", np.minimum(distance, block.y[box] - level), box)


def lay_liver(block: Block, build: Build, cavity: np.ndarray, dome: np.ndarray, rng: Rng) -> None:
    """The liver with its vessels, fissure, cysts and gallbladder."""
    width, depth = build.cavity_width, build.cavity_depth
    box = block.box((-0.75 * width, -depth, -80), (width + 5, 1.6 * depth, build.dome))
    x, y, z = block.x[box], block.y[box], block.z[box]
    # The lower surface rises to the left and to the back.
    normal = np.array([0.60 + build.liver_tilt, 0.27, 0.70])
    normal /= np.linalg.norm(normal)
    at = np.array([6.0, 8.0, 66.0 + 0.7 * (build.dome - 126)]) - build.liver * normal
    under = sum(
        (p - np.float32(q)) * np.float32(n) for p, q, n in zip((x, y, z), at, normal, strict=True)
    )
    kidney = build.kidney_middle(1)
    lap = ellipsoid(kidney + np.array([14, 10, 30]), (40, 36, 50))  # the liver lies on the kidney
    under = smooth_max(under, lap(x, y, z), 8)
    tip = smooth_min(x + np.float32(0.62 * width), z + 62, 10)
    inside = smooth_min(cavity[box] - 1.5, dome[box] - 3, 5)
    liver = smooth_min(smooth_min(under, inside, 9), tip, 10)
    whole = block.add("liver", liver, box, organ="liver", rough_mm=1.5)

    hilum, veins = np.array([24.0, 34.0, 54.0]), np.array([16.0, 30.0, build.dome - 24])
    for _ in range(3):
        _branches(block, hilum, rng.normal((0.8, 0.4, 0.3), 0.6), 5.5, 5, whole, rng)
        _branches(block, veins, rng.normal((1, 0.3, -0.5), 0.6), 5.0, 5, whole, rng)
    # The fissure in front and the fat around the portal vein.
    start, end = hilum + np.array([[-22, 12, -8], [-30, 0.9 * depth, -25]])
    cleft = pipe(start, end, 4, 3)
    block.add(
        "visceral fat", cleft, block.box(end - 8, hilum + np.array([0, depth, 10])), within=whole
    )
    block.add(
        "visceral fat",
        pipe(hilum - np.array([14, 6, 8]), hilum + np.array([14, 4, 2]), 8, 6),
        block.box(hilum - 20, hilum + 20),
        within=whole,
    )
    for _ in range(build.lesions):
        center = np.array([60, 25, 60]) + rng.normal(size=3) * (30, 25, 25)
        radius = rng.uniform(4, 14)
        spot = ellipsoid(center, (radius, radius * 1.1, radius * 0.9))
        block.add(
            "cyst", spot, block.box(center - radius, center + radius), organ="liver", within=whole
        )
    if build.gallbladder:
        center = np.array([42.0, 0.62 * depth, 2.0 - build.liver])
        radii = (13.0, build.gallbladder * 0.7, build.gallbladder * 0.7)
        sac = ellipsoid(center, radii)
        box = block.box(center - 40, center + 40)
        block.add("gut", sac, box)
        block.add("bile", block.measure(sac, box) - 1.5, box)


def lay_kidneys(block: Block, build: Build) -> None:
    """Kidneys with their fat, sinus, vessels and ureters."""
    for side, organ in ((1, "right kidney"), (-1, "left kidney")):
        center = build.kidney_middle(side)
        up = np.array([-0.22 * side, -0.22, 0.95])
        turn = frame(up, np.array([-0.82 * side, 0.57, 0.0]))  # thickness, hilum, length
        hilum = turn[:, 1]
        size = build.kidney
        # Neither liver nor spleen reaches behind a kidney; there is fat and the adrenal gland.
        space = np.array([side * 42.0, -36.0, center[2] + 46])
        corner = ellipsoid(space, (27, 21, 42))
        block.add("visceral fat", corner, block.box(space - 45, space + 45), rough_mm=2.0)
        radii = np.array([25.5, 31.0, 55.0]) * size
        box = block.box(center - 62 * size, center + 62 * size)
        bean = block.measure(ellipsoid(center, radii, turn), box)
        dent = block.measure(ellipsoid(center + hilum * 37 * size, (13, 17, 19), turn), box)
        bean = smooth_min(bean, -dent, 6)
        block.add("visceral fat", bean + build.rim, box)
        block.add("kidney", bean, box, organ=organ, rough_mm=0.8)
        core = block.measure(ellipsoid(center + hilum * 6, radii * (0.62, 0.62, 0.72), turn), box)
        pyramids = np.minimum(core, 5 * block.rough[box] + 1)
        block.add("medulla", np.minimum(pyramids, bean - 5), box, organ=organ, edge_mm=4)
        sinus = ellipsoid(center + hilum * 15 * size, (7.5, 14, 24), turn)
        block.add("visceral fat", sinus, box, rough_mm=2.5)
        block.add(
            "urine", ellipsoid(center + hilum * 17 * size, (4, 9, 9), turn), box, rough_mm=1.5
        )
        gate = center + hilum * 20 * size
        cava = np.array([22.0 if side > 0 else -4.0, 26.0, center[2] + 8])
        for radius, tissue, rise in ((3.5, "vein", 0.0), (2.4, "artery", -6.0)):
            a = gate + np.array([0, 0, rise])
            b = cava + np.array([0, -4 if rise else 0, rise])
            block.add(
                tissue,
                pipe(a, b, radius, radius),
                block.box(np.minimum(a, b) - 6, np.maximum(a, b) + 6),
            )
        ureter = gate + np.array([-side * 8, 8, -20])
        low = np.array([side * 32.0, 12.0, -140.0])
        block.add(
            "urine",
            pipe(ureter, low, 2.2, 2),
            block.box(np.minimum(ureter, low) - 4, np.maximum(ureter, low) + 4),
        )


def _between(points: list[np.ndarray]) -> list[np.ndarray]:
    """The points and the middles between neighbours."""
    result = [points[0]]
    for a, b in pairwise(points):
        result += [(a + b) / 2, b]
    return result


def _hose(
    block: Block, points: list[np.ndarray], radii: list[float], filling: str, room: Layer
) -> None:
    """A bent pipe with a wall; gas, where there is any, floats in front of the rest."""
    parts = []
    for a, b, r, q in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
        reach = max(r, q)
        box = block.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
        if any(s.start >= s.stop for s in box):
            continue
        distance = block.measure(pipe(a, b, r, q), box) + block.rough[box]
        block.add("gut", distance, box, within=room)
        parts.append((box, distance - 2.5, (a[1] + b[1]) / 2))
    for box, distance, level in parts:
        wet = "chyme" if filling == "gas" else filling
        block.add(wet, distance, box, within=room)
        if filling in ("gas", "stool"):
            above = block.y[box] - np.float32(level - 2 if filling == "gas" else level + 5)
            block.add("gas", np.minimum(distance, above), box, within=room)


def _branches(
    block: Block,
    start: np.ndarray,
    way: np.ndarray,
    radius: float,
    depth: int,
    whole: Layer,
    rng: Rng,
) -> None:
    """A vessel that forks until it is too thin to see."""
    way = way / np.linalg.norm(way)
    end = start + way * rng.uniform(14, 27)
    box = block.box(np.minimum(start, end) - radius, np.maximum(start, end) + radius)
    block.add("vein", pipe(start, end, radius, radius * 0.8), box, organ="liver", within=whole)
    if depth:
        for _ in range(2):
            turned = way + rng.normal(0, 0.5, 3)
            _branches(block, end, turned, radius * rng.uniform(0.6, 0.8), depth - 1, whole, rng)
