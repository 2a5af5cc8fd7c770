"""One error of the shipped model going away in three strokes, as a row of pictures.

    python bench/stroke_pictures.py heart

Over the pair of the extension's sample data, which is rendered: every organ is corrected by the
simulated user of `stroke_user.py`, and told; the one that loses most of its error is drawn. The
upper row is the plane of the first stroke, the lower one the plane with most errors that no stroke
was drawn in. Writes `docs/figures/strokes.png`.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import default_store, resource_folder
from cmcseg.imaging.files import read_label_map, read_volume
from cmcseg.learn.scores import dice
from cmcseg.predict.scan_memory import look
from cmcseg.predict.segment import segment
from stroke_user import Case, next_stroke
from strokes import MODELS, smart

mpl.use("Agg")
from matplotlib import pyplot

TARGET = Path(__file__).parents[1] / "docs" / "figures" / "strokes.png"
ROLES = {"heart": ("bssfp", "lge"), "abdomen": ("ct", "mr")}
STROKES, MARGIN = 3, 14  # how many; voxels shown around the organ
TRUE, FOUND, DRAWN = "#2ca25f", "#ffb000", "#dc267f"


def a_case(region, role):
    """A scan of the sample data as the model sees it."""
    bundle = load_bundle(default_store().find(MODELS[region]))
    stem = resource_folder() / "SampleData" / f"CMCSeg{region.title()}_{role}"
    volume = read_volume(Path(f"{stem}.nii.gz"))
    truth = read_label_map(Path(f"{stem}_truth.nii.gz"), bundle.card.table)
    return Case(
        name=role,
        set=region,
        memory=look(volume, role, bundle, "cpu"),
        found=segment({role: volume}, bundle).labels[role].array,
        truth=truth.array,
        table=bundle.card.table,
    )


def corrected(case, value):
    """Labels before the first stroke and after every one; and the strokes."""
    steps, marks, propose = [case.found], [], smart(case)
    for _ in range(STROKES):
        mark = next_stroke(case, steps[-1], value)
        if mark is None:
            break
        steps.append(propose(steps[-1], mark, tuple(marks)))
        marks.append(mark)
    return steps, marks


def draw(case, label, steps, marks):
    """A row of pictures for either plane."""
    axis = int(np.argmax(case.grid.spacing)) if np.ptp(case.grid.spacing) > 0.1 else 2
    drawn = [int(mark.voxels[0, axis]) for mark in marks]
    others = tuple({0, 1, 2} - {axis})
    wrong = ((case.found == label.value) != (case.truth == label.value)).sum(axis=others)
    wrong[drawn] = -1
    planes = drawn[0], int(wrong.argmax())
    there = np.argwhere((case.truth == label.value) | (case.found == label.value))
    low, high = (np.delete(side, axis) for side in (there.min(axis=0), there.max(axis=0)))
    part = tuple(slice(max(a - MARGIN, 0), b + MARGIN) for a, b in zip(low, high, strict=True))
    figure, panels = pyplot.subplots(
        2, len(steps), figsize=(2.6 * len(steps), 5.6), layout="constrained"
    )
    for row, plane in zip(panels, planes, strict=True):
        image = np.take(case.memory.image.astype(np.float32), plane, axis=axis)[part]
        for number, (panel, now) in enumerate(zip(row, steps, strict=True)):
            panel.imshow(image.T, cmap="gray", origin="lower")
            for labels, colour in ((case.truth, TRUE), (now, FOUND)):
                mask = np.take(labels == label.value, plane, axis=axis)[part]
                if mask.any():
                    panel.contour(mask.T, [0.5], colors=colour, linewidths=1.4)
            if number < len(marks) and drawn[number] == plane:
                at = np.delete(marks[number].voxels, axis, axis=1) - [s.start for s in part]
                panel.plot(*at.T, ".", color=DRAWN, markersize=3)
            panel.set_axis_off()
            score = dice(now, case.truth, label.value)
            told = (
                "as found"
                if not number
                else f"after {number} {'strokes' if number > 1 else 'stroke'}"
            )
            if plane == planes[0]:
                panel.set_title(f"{told}\nDice {score:.3f}", fontsize=9)
    figure.savefig(TARGET, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("region", choices=("heart", "abdomen"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    best = 0.0
    for role in ROLES[options.region]:
        case = a_case(options.region, role)
        for label in case.table:
            steps, marks = corrected(case, label.value)
            scores = [dice(now, case.truth, label.value) for now in steps]
            print(role, label.name, " ".join(f"{score:.3f}" for score in scores), flush=True)
            gone = (scores[-1] - scores[0]) / (1 - scores[0])  # of the error
            if len(marks) == STROKES and gone > best:
                best = gone
                draw(case, label, steps, marks)


if __name__ == "__main__":
    main()
