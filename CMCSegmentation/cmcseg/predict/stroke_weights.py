"""How much each piece of evidence counts: a logistic regression over a simulated user's strokes.

Fitted on 12 heart scans of another hospital than the model's; docs/decisions/250 tells how, and
what a fit on other scans gave.
"""

BIAS = -1.147
WEIGHTS: dict[str, float] = {
    "model": 0.843,
    "model beyond the stroke": 0.106,
    "head": 0.202,
    "head, smoothed": 1.690,
    "unlike the stroke": -0.074,
    "unlike beyond": 1.085,
    "towards the region": 0.160,
    "depth": -0.486,
    "ball": 0.207,
    "distance": 0.256,
    "through": -0.041,
    "same plane": 0.596,
    "same label": 0.857,
    "marked for": 1.330,
    "marked against": -3.904,
    "marked now": 3.832,
    "length": 0.156,
}
