"""How bright every tissue is to a scanner: mean and texture, drawn per phantom.

Ranges were read off venous CT (HU), T2-SPIR, balanced steady-state and late-enhancement scans.
"""

from cmcseg.data.phantoms.solids import Rng

Look = dict[str, tuple[float, float]]


def portal_venous_ct(rng: Rng) -> Look:
    """HU and texture per tissue: an abdomen in the portal venous phase, some without contrast."""
    phase = 0.0 if rng.random() < 0.12 else rng.uniform(0.45, 1.15)
    fatty = rng.uniform(0, 35) if rng.random() < 0.35 else 0.0
    kidney = 30 + phase * rng.uniform(95, 190)
    vessel = 40 + phase * rng.uniform(85, 130)
    oral = rng.uniform(150, 380) if rng.random() < 0.6 else rng.uniform(0, 40)
    liver = 52 + 58 * phase - fatty
    return {
        "air": (-1000, 0), "table": (-300, 60), "skin": (0, 20), "fat": (-103, 8),
        "muscle": (52 + 8 * phase, 14), "visceral fat": (-98, 13), "mediastinum": (-70, 45),
        "lung": (-840, 40), "cortex": (380, 90), "cartilage": (95, 20),
        "marrow": (160, 50), "disc": (85, 10),
        "fluid": (20, 5), "cord": (40, 5), "gut": (45 + 40 * phase, 15), "chyme": (35, 20),
        "contrast": (oral, 60), "gas": (-900, 30), "stool": (20, 90),
        "meal": (rng.choice([15.0, 30.0, 0.8 * oral]), 25), "spleen": (50 + 64 * phase, 8),
        "liver": (liver, 7), "vein": (vessel + 15 * phase, 5), "cava": (vessel, 12),
        "artery": (vessel + 10, 6), "cyst": (rng.uniform(5, 35), 5), "bile": (8, 4),
        "kidney": (kidney, 15), "medulla": (kidney * rng.uniform(0.8, 1.02), 15),
        "urine": (rng.choice([8.0, 8.0, 250.0]), 10), "pancreas": (42 + 50 * phase, 18),
        "heart fat": (-90, 15), "myocardium": (45 + 65 * phase, 10),
        "scar": (45 + 50 * phase, 10), "blood left": (vessel + 5, 5), "blood right": (vessel, 6),
    }  # fmt: skip


def t2_spir(rng: Rng) -> Look:
    """T2 with the fat suppressed: water glows, fast blood is black."""
    dark = rng.random() < 0.1  # iron
    liver = rng.uniform(130, 200) if dark else rng.uniform(280, 420)
    spleen = rng.uniform(140, 300) if dark else rng.uniform(560, 850)
    kidney = rng.uniform(610, 860)
    fat = rng.uniform(45, 130)
    return {
        "air": (0, 0), "table": (0, 0), "skin": (180, 60), "fat": (fat, 20),
        "muscle": (rng.uniform(110, 160), 20), "visceral fat": (fat * 0.8, 25),
        "mediastinum": (90, 60), "lung": (18, 12), "cortex": (40, 15), "cartilage": (150, 30),
        "marrow": (rng.uniform(130, 200), 30), "disc": (rng.uniform(100, 400), 60),
        "fluid": (1000, 40), "cord": (450, 20), "gut": (230, 60),
        "chyme": (rng.uniform(350, 700), 150), "contrast": (rng.uniform(60, 300), 60),
        "gas": (8, 5), "stool": (200, 130), "meal": (rng.uniform(300, 800), 180),
        "spleen": (spleen, 35), "liver": (liver, 28), "vein": (liver * rng.uniform(1.7, 2.3), 40),
        "cava": (rng.choice([90.0, 420.0]), 60), "artery": (60, 40), "cyst": (900, 40),
        "bile": (rng.uniform(700, 1000), 30), "kidney": (kidney, 90),
        "medulla": (kidney * rng.uniform(1.05, 1.3), 100), "urine": (950, 60),
        "pancreas": (rng.uniform(260, 380), 50), "heart fat": (80, 20),
        "myocardium": (rng.uniform(180, 330), 50), "scar": (330, 50),
        "blood left": (130, 70), "blood right": (120, 60),
    }  # fmt: skip


def bssfp(rng: Rng) -> Look:
    """Balanced steady state: blood, fat and water glow."""
    blood, wall = rng.uniform(900, 1250), rng.uniform(0.33, 0.5)
    fat = rng.uniform(1000, 1500)
    liver = rng.uniform(300, 480)
    return {
        "air": (0, 0), "table": (0, 0), "skin": (500, 100), "fat": (fat, 90),
        "muscle": (rng.uniform(260, 380), 40), "visceral fat": (fat * 0.85, 130),
        "mediastinum": (fat * 0.6, 90), "lung": (rng.uniform(30, 70), 25), "cortex": (80, 30),
        "cartilage": (300, 40),
        "marrow": (450, 90), "disc": (400, 60), "fluid": (1500, 60), "cord": (500, 40),
        "gut": (500, 90), "chyme": (700, 200), "contrast": (300, 90), "gas": (20, 10),
        "stool": (350, 150), "meal": (rng.uniform(300, 900), 120), "spleen": (550, 30),
        "liver": (liver, 28), "vein": (liver * 1.9, 60), "cava": (850, 120),
        "artery": (1100, 130), "cyst": (1200, 50), "bile": (1400, 50), "kidney": (750, 80),
        "medulla": (820, 90), "urine": (1300, 80), "pancreas": (450, 60),
        "heart fat": (fat * 0.75, 140), "myocardium": (blood * wall, 35),
        "scar": (blood * wall * 1.1, 35), "blood left": (blood * 1.08, 100),
        "blood right": (blood * rng.uniform(0.78, 0.95), 80),
    }  # fmt: skip


def lge(rng: Rng) -> Look:
    """Late after gadolinium: healthy heart muscle is nulled, blood is grey, scar is white."""
    blood = rng.uniform(230, 620)
    b = blood / 100
    return {
        "air": (0, 0), "table": (0, 0), "skin": (90 * b, 20 * b),
        "fat": (rng.uniform(90, 200) * b, 14 * b), "muscle": (rng.uniform(30, 50) * b, 8 * b),
        "visceral fat": (rng.uniform(35, 65) * b, 15 * b), "mediastinum": (45 * b, 10 * b),
        "lung": (6 * b, 4 * b), "cortex": (15 * b, 5 * b), "cartilage": (40 * b, 8 * b),
        "marrow": (55 * b, 12 * b),
        "disc": (35 * b, 8 * b), "fluid": (12 * b, 5 * b), "cord": (40 * b, 5 * b),
        "gut": (70 * b, 15 * b), "chyme": (35 * b, 25 * b), "contrast": (25 * b, 15 * b),
        "gas": (5 * b, 2 * b), "stool": (35 * b, 20 * b), "meal": (25 * b, 15 * b),
        "spleen": (rng.uniform(60, 90) * b, 6 * b), "liver": (rng.uniform(45, 75) * b, 5 * b),
        "vein": (85 * b, 8 * b), "cava": (90 * b, 12 * b), "artery": (95 * b, 12 * b),
        "cyst": (10 * b, 5 * b), "bile": (20 * b, 5 * b), "kidney": (190 * b, 20 * b),
        "medulla": (170 * b, 20 * b), "urine": (60 * b, 10 * b), "pancreas": (60 * b, 9 * b),
        "heart fat": (rng.uniform(45, 80) * b, 18 * b),
        "myocardium": (rng.uniform(12, 36) * b, 7 * b),
        "scar": (rng.uniform(120, 190) * b, 15 * b), "blood left": (100 * b, 9 * b),
        "blood right": (rng.uniform(82, 98) * b, 9 * b),
    }  # fmt: skip
