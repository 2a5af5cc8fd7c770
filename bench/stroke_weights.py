"""Fit what a stroke's evidence is added up with at the second look.

    python bench/stroke_weights.py FOLDER --train acdc-correct

FOLDER holds what `bench/strokes.py look` wrote. The simulated user corrects every scan of the sets
named, once from what the model found and once from the truth or the model's result with a smooth
shift of some millimetres; each stroke gives samples of voxels that might join, with their truth. A
perceptron of one hidden layer follows. A fifth of the scans is kept out to say how well it fits.
The weights of the first look stay as they are; docs/decisions/250 tells what they were fitted on.
They all go into the file of weights that comes with the program.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from cmcseg.predict import propose as tool
from cmcseg.predict import stroke_score, stroke_weights
from cmcseg.predict.stroke_evidence import weigh
from safetensors.torch import save_file
from stroke_user import correct
from strokes import by_name, read_cases
from torch import nn

SAMPLES = 300  # of a stroke
HIDDEN, EPOCHS, BATCH, RATE = 16, 12, 4096, 1e-2
SHIFT_MM, KNOTS_MM = (2, 8), (25, 60)


def shifted(case, chance):
    """The case, as if a model had found the truth or its own result some millimetres beside."""
    source = case.found if chance.random() < 0.5 else case.truth
    spacing = np.array(case.grid.spacing)
    knots = [
        max(2, int(n * s / chance.uniform(*KNOTS_MM)) + 2)
        for n, s in zip(source.shape, spacing, strict=True)
    ]
    shift = torch.from_numpy(chance.normal(0, chance.uniform(*SHIFT_MM), size=(1, 3, *knots)))
    shift = nn.functional.interpolate(shift, source.shape, mode="trilinear", align_corners=True)[0]
    at = np.indices(source.shape) + shift.numpy() / spacing[:, None, None, None]
    top = np.array(source.shape)[:, None, None, None] - 1
    return dataclasses.replace(case, found=source[tuple(np.clip(np.rint(at), 0, top).astype(int))])


def samples(case, rounds, chance):
    """Features ``(n, F)``, truth, and the weight of a voxel around every stroke."""
    found = []

    def propose(now, mark, earlier):
        box = mark.box(case.grid)
        evidence = weigh(case.memory, now[box], box, mark, earlier)
        truth = (case.truth[box] == mark.value) == mark.is_organ
        truth = np.moveaxis(truth, mark.normal(case.grid), 2)
        there = np.flatnonzero(evidence.may_join)
        if len(there):
            chosen = chance.choice(there, min(SAMPLES, len(there)), replace=False)
            features = stroke_score.features(stroke_score.looked_at_once(evidence.numbers))
            share = len(there) / len(chosen)
            wanted = truth.ravel()[chosen]
            weight = np.full(len(chosen), share / (share * wanted.sum() + 100) ** 0.5)
            found.append((features.reshape(len(features), -1)[:, chosen].T.numpy(), wanted, weight))
        out = now.copy()
        out[box] = tool.propose(case.memory, now[box], box, mark, earlier)
        return out

    correct(case, propose, rounds, lambda *_: None, chance if chance.random() < 0.5 else None)
    return [np.concatenate(part) for part in zip(*found, strict=True)]


def fitted(x, y, w):
    """Mean, spread, weights ``(F, H)``, their least, and what leads out."""
    torch.manual_seed(0)
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-2
    x, y, w = (torch.from_numpy(np.asarray(a, np.float32)) for a in ((x - mean) / spread, y, w))
    net = nn.Sequential(
        nn.Linear(x.shape[1], HIDDEN), nn.LeakyReLU(stroke_score.SLOPE), nn.Linear(HIDDEN, 1)
    )
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)
    steps = EPOCHS * max(1, len(x) // BATCH)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        some = torch.randint(len(x), (BATCH,))
        losses = nn.functional.binary_cross_entropy_with_logits(
            net(x[some])[:, 0], y[some], reduction="none"
        )
        optimizer.zero_grad()
        (losses * w[some] / w.mean()).mean().backward()
        optimizer.step()
        slower.step()
    first, last = net[0], net[2]
    out = torch.cat([last.bias, last.weight[0]])
    rest = (part.detach().numpy() for part in (first.weight.T, first.bias, out))
    return mean, spread, *rest


def told(parts, x, y, w):
    """How the fit does: of what was wanted, the share that joins less what joins wrongly."""
    mean, spread, weights, least, out = parts
    hidden = (x - mean) / spread @ weights + least
    joins = np.maximum(hidden, stroke_score.SLOPE * hidden) @ out[1:] + out[0] > 0
    return f"gain {(w * joins * (2.0 * y - 1)).sum() / (w * y).sum():.3f} of {len(y)} voxels"


def write(mean, spread, weights, least, out):
    """Put the second look into the file of weights."""
    first = stroke_weights.stroke_weights()
    parts = {
        "first": first.first,
        "first_bias": first.first_bias,
        "mean": mean,
        "spread": spread,
        "hidden": weights,
        "hidden_bias": least,
        "out": out[1:],
        "out_bias": out[:1],
    }
    parts = {name: torch.as_tensor(part).float().contiguous() for name, part in parts.items()}
    made = {"made by": f"bench/{Path(__file__).name}"}
    save_file(parts, stroke_weights.weights_file(), made)


def run(options):
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    found = []
    for path in by_name(options.folder, options.train):
        (case,) = read_cases([path])
        found.append([samples(c, options.rounds, chance) for c in (case, shifted(case, chance))])
        print(path.stem, sum(len(part[1]) for part in found[-1]), flush=True)
    kept = [part for scan in found[::5] for part in scan]
    used = [part for number, scan in enumerate(found) if number % 5 for part in scan]
    inner, outer = (
        [np.concatenate(p) for p in zip(*parts, strict=True)] for parts in (used or kept, kept)
    )
    parts = fitted(*inner)
    print("kept out:", told(parts, *outer))
    write(*parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", nargs="+", required=True, help="names of sets")
    parser.add_argument("--rounds", type=int, default=8)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
