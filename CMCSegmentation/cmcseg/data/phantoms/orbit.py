"""Both orbits of an adult with more or less thyroid-associated orbitopathy, in T1 and T2.

Body coordinates are mm to the right, to the front and upwards from the point midway between the
two globes. Sizes follow anatomy: a globe of 24 mm, a cone of muscles 42 mm deep whose apex lies
near the midline, muscles that swell in their bellies and spare their tendons.
"""

from dataclasses import dataclass

import numpy as np

from cmcseg.core.grid import Grid
from cmcseg.data.phantoms.phantom_kind import Faults, PhantomKind, grid_around
from cmcseg.data.phantoms.solids import Block, Rng, ellipsoid, pipe, smooth_max, smooth_min
from cmcseg.data.phantoms.tissue_contrast import Look

_STEP = (0.9, 0.9, 1.2)  # mm; the optic nerve is 4 mm thick
_MUSCLES = {"medial": (-1.0, 0.0), "lateral": (1.0, 0.0), "upper": (0.0, 1.0), "lower": (0.0, -1.0)}


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """One side of a person, in mm.

    Attributes:
        globe: radius.
        bulge: how far the globe stands forward of where it should.
        gaze: where the globe sits in the orbit, to the side and upwards.
        bellies: largest half thickness per muscle of ``_MUSCLES``.
        nerve: radius of the optic nerve.
        sag: how far the nerve swings out of the straight line.
    """

    globe: float
    bulge: float
    gaze: tuple[float, float]
    bellies: dict[str, float]
    nerve: float
    sag: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Head:
    """What chance decides about a person, in mm.

    Attributes:
        sides: the right (1) and the left (-1) orbit.
        apart: half the distance of the globes' middles.
        width, depth: half axes of the head.
        cells: half width of the air between the orbits.
    """

    sides: dict[int, Orbit]
    apart: float
    width: float
    depth: float
    cells: float


def draw_head(rng: Rng) -> Head:
    """Chance for one person; disease strikes both sides, seldom equally."""
    disease = rng.uniform(0, 1) ** 1.5
    return Head(
        sides={side: _draw_orbit(rng, disease) for side in (1, -1)},
        apart=rng.normal(31.5, 1.2),
        width=rng.normal(76, 3),
        depth=rng.normal(94, 4),
        cells=rng.uniform(8, 12),
    )


def _draw_orbit(rng: Rng, disease: float) -> Orbit:
    ill = float(np.clip(disease * rng.uniform(0.6, 1.3), 0, 1))
    swelling = {"medial": 2.6, "lateral": 1.6, "upper": 1.9, "lower": 2.9}
    return Orbit(
        globe=float(np.clip(rng.normal(12.0, 0.5), 11, 13.5)),
        bulge=6.0 * ill + rng.normal(0, 0.8),
        gaze=(rng.normal(0, 0.8), rng.normal(0, 0.8)),
        bellies={
            name: rng.uniform(2.5, 3.2) + extra * ill * rng.uniform(0.3, 1.0)
            for name, extra in swelling.items()
        },
        nerve=rng.uniform(1.9, 2.5),
        sag=(rng.normal(0, 1.0), rng.normal(-1.0, 1.0)),
    )


def sculpt_head(head: Head, grid: Grid, middle: np.ndarray, rng: Rng) -> Block:
    """Fill a grid, about 1 mm wide, with the front of a head."""
    block = Block(grid, middle, rng, bend_mm=1.2)
    _lay_skull(block, head)
    for side, orbit in head.sides.items():
        _lay_orbit(block, head, side, orbit)
    return block


def _lay_skull(block: Block, head: Head) -> None:
    """Skin, bone, brain, and the air of nose and sinuses."""
    box = block.everywhere()
    center = np.array([0.0, -head.depth + 26, 8.0])
    size = np.array([head.width, head.depth, 105.0])
    outside = block.measure(ellipsoid(center, size), box)
    nose = pipe((0, 6, -8), (0, 34, -38), 8, 14)(block.x, block.y, block.z)
    outside = smooth_max(outside, nose, 8)
    block.add("fat", outside, box, rough_mm=0.6)
    block.add("muscle", outside - 5, box)
    block.add("cortex", outside - 9, box)
    block.add("muscle", outside - 12, box, rough_mm=0.8)
    above = block.z + np.float32(0.35) * (block.y + 20) - np.float32(17)
    block.add("cortex", np.minimum(outside - 9, above + 4), box)
    block.add("brain", np.minimum(outside - 15, above), box, rough_mm=0.8)
    block.add("fluid", np.minimum(outside - 15, np.minimum(above, 2 - above)), box)
    for y in (0.0, -14.0, -28.0):  # ethmoid cells
        cells = ellipsoid((0, y - 4, -3), (head.cells, 8.5, 13))
        block.add("mucosa", cells, box, edge_mm=1.0)
        block.add("gas", block.measure(cells, box) - 1.2, box, edge_mm=1.0)
    for side in (1, -1):  # maxillary sinuses
        cave = block.measure(ellipsoid((side * 27, -8, -38), (14, 17, 15)), box)
        block.add("mucosa", cave, box, edge_mm=1.0)
        block.add("gas", cave - 1.5, box, edge_mm=1.0)


def _lay_orbit(block: Block, head: Head, side: int, orbit: Orbit) -> None:
    """Bone, fat, muscles, nerve, gland, globe; later ones cover earlier ones."""
    apex = np.array([side * 17.0, -42.0, 2.0])
    rest = np.array([side * head.apart, 0.0, 0.0])
    box = block.box(np.minimum(apex, rest) - 34, np.maximum(apex, rest) + 34)
    cone = block.measure(pipe(apex, rest + np.array([side * 0.5, 4, 0]), 6.5, 17.8), box)
    septum = np.float32(8.5 + 0.6 * orbit.bulge) - block.y[box]
    block.add("cortex", smooth_min(cone + 2.2, septum, 3), box, edge_mm=1.0)
    inside = smooth_min(cone, septum, 3)
    room = block.add("fat", inside, box, organ="orbital fat", edge_mm=1.0)

    globe = rest + np.array([side * orbit.gaze[0], orbit.bulge, orbit.gaze[1]])
    for name, (across, up) in _MUSCLES.items():
        way = np.array([side * across, 0.0, up])
        _lay_muscle(block, apex, globe, way, orbit.globe, orbit.bellies[name], box, room)
    gland = rest + np.array([side * 14, 3 + orbit.bulge, 11])
    block.add("gland", ellipsoid(gland, (5, 6, 4)), box, within=room, rough_mm=0.5, edge_mm=1.0)
    _lay_nerve(block, apex, globe, orbit, side, box)
    _lay_globe(block, globe, orbit.globe, box)


def _lay_muscle(
    block: Block,
    apex: np.ndarray,
    globe: np.ndarray,
    way: np.ndarray,
    radius: float,
    belly: float,
    box: tuple[slice, slice, slice],
    room: object,
) -> None:
    """A straight muscle: tendon at the apex, a belly, a tendon on the globe."""
    start = apex + 3.5 * way
    end = globe + (radius + 0.3) * way + (0, 0.35 * radius, 0)
    bow = 2.5 * way
    places = [start + t * (end - start) + 4 * t * (1 - t) * bow for t in (0.0, 0.3, 0.55, 0.8, 1.0)]
    sizes = (1.4, 0.85 * belly, belly, 0.6 * belly, 0.8)
    parts = [
        block.measure(pipe(a, b, r, q), box)
        for a, b, r, q in zip(places, places[1:], sizes, sizes[1:], strict=False)
    ]
    muscle = parts[0]
    for part in parts[1:]:
        muscle = smooth_max(muscle, part, 1.0)
    block.add("eye muscle", muscle, box, organ="eye muscles", within=room, edge_mm=1.0)


def _lay_nerve(
    block: Block,
    apex: np.ndarray,
    globe: np.ndarray,
    orbit: Orbit,
    side: int,
    box: tuple[slice, slice, slice],
) -> None:
    """The nerve in its sheath of fluid, swinging between globe and apex."""
    start = globe + np.array([-side * 3.0, -0.93 * orbit.globe, 0.0])
    bend = (start + apex) / 2 + (orbit.sag[0], 0.0, orbit.sag[1])
    for first, last in ((start, bend), (bend, apex - (side * 4.0, 8.0, 0.0))):
        sheath = block.measure(pipe(first, last, orbit.nerve + 0.6, orbit.nerve + 0.4), box)
        block.add("fluid", sheath, box, organ="optic nerve", edge_mm=1.0)
    for first, last in ((start, bend), (bend, apex - (side * 4.0, 8.0, 0.0))):
        nerve = block.measure(pipe(first, last, orbit.nerve, orbit.nerve), box)
        block.add("nerve", nerve, box, organ="optic nerve", edge_mm=1.0)


def _lay_globe(
    block: Block, globe: np.ndarray, radius: float, box: tuple[slice, slice, slice]
) -> None:
    ball = block.measure(ellipsoid(globe, (radius, 1.02 * radius, radius)), box)
    block.add("sclera", ball, box, organ="globe", edge_mm=1.0)
    block.add("vitreous", ball - 1.2, box, organ="globe", edge_mm=1.0)
    lens = ellipsoid(globe + np.array([0, 0.62 * radius, 0]), (4.6, 2.0, 4.6))
    block.add("lens", lens, box, organ="globe", edge_mm=1.0)


def _middle(rng: Rng) -> np.ndarray:
    return rng.uniform(-1, 1, size=3) * (8, 40, 30)


def _pivot(head: Head) -> np.ndarray:  # noqa: ARG001
    return np.array([0.0, -16.0, 0.0])


def _views(head: Head, middle: np.ndarray, rng: Rng) -> dict[str, Grid]:
    """An axial T1 and a coronal T2, as orbits are scanned."""
    center = middle + _pivot(head) + rng.normal(0, 2, size=3)
    axial, coronal = np.diag([-1.0, 1.0, 1.0]), np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    slices = int(rng.integers(16, 21))
    t1 = grid_around(center, axial, (0.625, 0.625, 3.0), (256, 208, slices))
    center = center + rng.normal(0, 2, size=3)
    slices = int(rng.integers(22, 27))
    t2 = grid_around(center, coronal, (0.7, 0.7, 3.3), (224, 176, slices))
    return {"t1": t1, "t2": t2}


def _space(head: Head, middle: np.ndarray, views: dict[str, Grid]) -> Grid:
    corners = np.concatenate([grid.corners() for grid in views.values()])
    # Beyond these bounds there is only air in front, and nothing of interest behind.
    low = np.maximum(corners.min(axis=0) - 8, middle - np.array([head.width + 14, 95, 75]))
    high = np.minimum(corners.max(axis=0) + 8, middle + np.array([head.width + 14, 58, 62]))
    shape = tuple(np.ceil((high - low) / _STEP).astype(int).tolist())
    return grid_around((low + high) / 2, np.eye(3), _STEP, shape)


def t1_weighted(rng: Rng) -> Look:
    """Fat is bright, water is dark."""
    fat, muscle = rng.uniform(900, 1200), rng.uniform(330, 430)
    return {
        "air": (0, 0), "fat": (fat, 60), "muscle": (muscle, 30), "cortex": (60, 30),
        "brain": (rng.uniform(420, 520), 40), "fluid": (170, 25), "mucosa": (350, 50),
        "gas": (8, 5), "eye muscle": (muscle * rng.uniform(0.95, 1.15), 25),
        "gland": (muscle * 1.15, 30), "nerve": (rng.uniform(420, 500), 25),
        "sclera": (300, 40), "vitreous": (rng.uniform(150, 220), 12), "lens": (420, 30),
    }  # fmt: skip


def t2_fat_suppressed(rng: Rng) -> Look:
    """Water is bright, fat is dark; an inflamed muscle shines."""
    fat, muscle = rng.uniform(60, 170), rng.uniform(180, 260)
    return {
        "air": (0, 0), "fat": (fat, 25), "muscle": (muscle, 25), "cortex": (40, 20),
        "brain": (rng.uniform(420, 560), 50), "fluid": (1000, 50), "mucosa": (800, 90),
        "gas": (8, 5), "eye muscle": (muscle * rng.uniform(1.0, 2.2), 35),
        "gland": (muscle * rng.uniform(1.2, 1.9), 40), "nerve": (rng.uniform(300, 420), 30),
        "sclera": (150, 40), "vitreous": (rng.uniform(1000, 1300), 30), "lens": (180, 30),
    }  # fmt: skip


ORBIT = PhantomKind(
    organs=("eye muscles", "optic nerve", "globe", "orbital fat"),
    contrasts={"t1": t1_weighted, "t2": t2_fat_suppressed},
    faults={
        "t1": Faults(bias=0.2, noise=(0.01, 0.03)),
        "t2": Faults(bias=0.2, noise=(0.015, 0.04)),
    },
    draw=draw_head,
    middle=_middle,
    pivot=_pivot,
    views=_views,
    space=_space,
    place_tissues=sculpt_head,
)
