"""What chance decides about a person.

Body coordinates are mm to the right, to the front and upwards from the middle of the second
lumbar vertebra. Proportions follow venous CT, T2-SPIR MR and short-axis heart scans of adults.
"""

from dataclasses import dataclass

import numpy as np

from cmcseg.data.phantoms.solids import Rng, frame

_ACROSS, _TO_BASE = np.array([-0.6629, -0.7250, -0.1871]), np.array([0.6440, -0.6795, 0.3514])
# The short-axis stack as scanners take it: in-plane axes, then from apex to base; RAS columns.
SHORT_AXES = frame(_TO_BASE, _ACROSS)[:, [1, 0, 2]]


@dataclass(frozen=True, kw_only=True)
class Build:
    """What chance decides about a person, in mm where not said otherwise.

    Attributes:
        cavity_width, cavity_depth: half axes of the inside of the trunk.
        wall, fat: thickness of muscle and of fat under the skin.
        dome: height of the right diaphragm; the left one is a little lower.
        liver: how far the liver reaches down and to the left.
        liver_tilt: how much more it does so at the side than in front.
        kidney, spleen, stomach, colon: size, 1 is usual.
        rim: thickness of the fat between a kidney and its neighbours.
        kidney_drop: how much lower the right kidney lies than the left one.
        ventricle, heart_length: radius and length of the left ventricle's outside.
        myocardium: thickness of its wall.
        chamber: size of the right ventricle, 1 is usual.
        rib_phase, disc_phase: where along the spine the first rib and disc lie, in turns.
        gallbladder: its length; 0 when it was taken out.
        lesions: how many cysts the liver has.
        scar: width of the heart's scar in radians; 0 for none.
        scar_angle: where in the wall it lies, in radians.
    """

    cavity_width: float
    cavity_depth: float
    wall: float
    fat: float
    dome: float
    liver: float
    liver_tilt: float
    kidney: float
    rim: float
    kidney_drop: float
    spleen: float
    stomach: float
    colon: float
    ventricle: float
    heart_length: float
    myocardium: float
    chamber: float
    rib_phase: float
    disc_phase: float
    gallbladder: float
    lesions: int
    scar: float
    scar_angle: float

    @property
    def half_width(self) -> float:
        """Half the width of the body at the waist."""
        return self.cavity_width + self.wall + self.fat

    @property
    def half_depth(self) -> float:
        """Half the depth of the body at the waist."""
        return self.cavity_depth + 0.8 * self.wall + 0.7 * self.fat

    @property
    def front(self) -> float:
        """How far the body's axis lies in front of the spine."""
        return self.half_depth - 72.0 - 0.4 * self.fat

    @property
    def heart_base(self) -> np.ndarray:
        """Middle of the mitral valve."""
        return np.array([-26.0, 0.40 * self.cavity_depth, self.dome + 44.0])

    def kidney_middle(self, side: int) -> np.ndarray:
        """Middle of the right (1) or the left (-1) kidney."""
        drop = self.kidney_drop if side > 0 else 0.0
        return np.array([side * (0.34 * self.cavity_width + 23), -5.0, -drop])


def draw_build(rng: Rng) -> Build:
    """Chance for one person."""
    frame = rng.normal()
    return Build(
        cavity_width=float(np.clip(127 + 6 * frame + rng.normal(0, 4), 112, 145)),
        cavity_depth=float(np.clip(91 + 5 * frame + rng.normal(0, 5), 76, 108)),
        wall=rng.uniform(12, 18),
        fat=float(np.clip(16 * np.exp(rng.normal(0, 0.5)), 6, 42)),
        dome=float(126 + 5 * frame + rng.normal(0, 6)),
        liver=float(np.clip(rng.normal(-9, 6), -18, 6)),
        liver_tilt=rng.normal(0, 0.04),
        kidney=float(np.clip(1.0 + 0.03 * frame + rng.normal(0, 0.055), 0.86, 1.16)),
        rim=rng.uniform(0, 3.5),
        kidney_drop=rng.uniform(-2, 22),
        spleen=float(np.clip(rng.normal(1.22, 0.13), 0.9, 1.55)),
        stomach=rng.uniform(0.85, 1.25),
        colon=rng.uniform(0.75, 1.2),
        ventricle=float(np.clip(36.5 + 1.2 * frame + rng.normal(0, 1.6), 32, 41)),
        heart_length=float(np.clip(90 + 3 * frame + rng.normal(0, 4), 79, 100)),
        myocardium=float(np.clip(rng.normal(9.2, 1.2), 7, 12.5)),
        chamber=rng.uniform(0.82, 1.0),
        rib_phase=rng.uniform(),
        disc_phase=rng.uniform(),
        gallbladder=rng.uniform(22, 38) if rng.random() < 0.8 else 0.0,
        lesions=int(rng.integers(0, 4)) if rng.random() < 0.35 else 0,
        scar=rng.uniform(0.4, 1.3) if rng.random() < 0.7 else 0.0,
        scar_angle=rng.uniform(-np.pi, np.pi),
    )
