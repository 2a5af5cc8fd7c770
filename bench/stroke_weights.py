"""Fit the weights that a stroke's evidence is added up with.

    python bench/stroke_weights.py FOLDER --train acdc abdomen-dim heart-dim

FOLDER holds what `bench/strokes.py look` wrote. The simulated user corrects every scan of the sets
named; each stroke gives samples of voxels that might join, with their truth. A logistic regression
with a little ridge follows; a second pass lets the user look at what the first weights propose, so
that later strokes are as they will be. A quarter of the scans is kept out to say how well it fits;
the weights written are those of all of them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from cmcseg.predict import propose as tool
from cmcseg.predict.stroke_evidence import weigh
from stroke_user import correct
from strokes import by_name, read_cases

SAMPLES = 400  # of a stroke
RIDGE = 1e-3
HEAD = '"""How much each piece of evidence counts: a logistic regression on strokes."""'
TARGET = Path(tool.__file__).with_name("stroke_weights.py")


def samples(case, rounds, chance, sloppy):
    """Evidence ``(n, names)``, truth and weight of the voxels around every stroke."""
    rows, truths, weights = [], [], []

    def propose(now, mark, earlier):
        box = mark.box(case.grid)
        evidence = weigh(case.memory, now[box], box, mark, earlier)
        truth = np.moveaxis(
            (case.truth[box] == mark.value) == mark.is_organ, mark.normal(case.grid), 2
        )
        there = np.flatnonzero(evidence.may_join)
        if len(there):
            chosen = chance.choice(there, min(SAMPLES, len(there)), replace=False)
            rows.append(np.stack([v.ravel()[chosen] for v in evidence.numbers.values()], axis=1))
            truths.append(truth.ravel()[chosen])
            weights.append(np.full(len(chosen), len(there) / len(chosen)))
        out = now.copy()
        out[box] = tool.propose(case.memory, now[box], box, mark, earlier)
        names[:] = evidence.numbers
        return out

    correct(case, propose, rounds, lambda *_: None, chance if sloppy else None)
    return np.concatenate(rows), np.concatenate(truths), np.concatenate(weights)


names: list[str] = []


def fitted(x, y, w):
    """Weights and bias of a logistic regression."""
    x, y, w = (torch.from_numpy(np.asarray(a, dtype=np.float64)) for a in (x, y, w))
    beta = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([beta], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        logits = x @ beta[:-1] + beta[-1]
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        loss = (losses * w).sum() / w.sum() + RIDGE * (beta[:-1] ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return beta.detach().numpy()


def told(beta, x, y, w):
    p = 1 / (1 + np.exp(-(x @ beta[:-1] + beta[-1])))
    wrong = ((p > 0.5) != y) * w
    loss = -(w * np.log(np.where(y, p, 1 - p) + 1e-9)).sum() / w.sum()
    return f"loss {loss:.4f}, wrong {wrong.sum() / w.sum():.4f}, {(w * y).sum() / w.sum():.4f} join"


def run(options):
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    paths = by_name(options.folder, options.train)
    for number in range(options.passes):
        found = []
        for place, path in enumerate(paths):
            found.append(samples(*read_cases([path]), options.rounds, chance, place % 2))
            print(number + 1, path.stem, len(found[-1][0]), flush=True)
        join = [np.concatenate(part) for part in zip(*found, strict=True)]
        inner = [
            np.concatenate(p) for p in zip(*[f for i, f in enumerate(found) if i % 4], strict=True)
        ]
        outer = [np.concatenate(p) for p in zip(*found[::4], strict=True)]
        print("kept out:", told(fitted(*inner), *outer), flush=True)
        beta = fitted(*join)
        print("all:", told(beta, *join), flush=True)
        tool.WEIGHTS = dict(zip(names, beta[:-1].tolist(), strict=True))
        tool.BIAS = float(beta[-1])
        lines = "".join(f'    "{name}": {weight:.3f},\n' for name, weight in tool.WEIGHTS.items())
        TARGET.write_text(
            f"{HEAD}\n\nBIAS = {tool.BIAS:.3f}\nWEIGHTS: dict[str, float] = {{\n{lines}}}\n",
            encoding="utf-8",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", nargs="+", required=True, help="names of sets")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--passes", type=int, default=2)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
