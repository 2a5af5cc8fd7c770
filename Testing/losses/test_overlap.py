"""The supervised loss: its formula, and what it must not learn from."""

import math

import pytest
import torch
from cmcseg.losses.overlap import overlap_loss
from counting import numbers_made

KNOWN = torch.ones(1, 3, dtype=torch.bool)


def a_case():
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3, 4, 4, 4, generator=chance, requires_grad=True)
    return logits, torch.randint(0, 3, (1, 4, 4, 4), generator=chance).to(torch.uint8)


def test_a_perfect_answer_costs_nearly_nothing():
    _, labels = a_case()
    sure = torch.nn.functional.one_hot(labels.long(), 3).permute(0, 4, 1, 2, 3) * 50.0
    assert overlap_loss(sure, labels, KNOWN) < 1e-3


def test_voxels_that_nobody_annotated_have_no_gradient():
    logits, labels = a_case()
    labels[:, :2] = 255
    overlap_loss(logits, labels, KNOWN).backward()
    assert logits.grad[:, :, :2].abs().max() == 0
    assert logits.grad[:, :, 2:].abs().max() > 0


def test_voxels_of_no_weight_have_no_gradient_and_doubt_makes_it_smaller():
    logits, labels = a_case()
    weight = torch.ones(1, 4, 4, 4)
    weight[:, :2] = 0
    overlap_loss(logits, labels, KNOWN, weight).backward()
    assert logits.grad[:, :, :2].abs().max() == 0
    assert logits.grad[:, :, 2:].abs().max() > 0
    full, half = (overlap_loss(logits, labels, KNOWN, w * torch.ones(1, 4, 4, 4)) for w in (1, 0.5))
    assert half < full == overlap_loss(logits, labels, KNOWN)


def test_an_undrawn_organ_is_not_pushed_to_the_background():
    logits, labels = a_case()
    labels[:] = 0
    partial = torch.tensor([[True, True, False]])
    overlap_loss(logits, labels, partial).backward()
    assert logits.grad[:, 2].sum() < 0  # the loss would fall if the undrawn organ were likelier
    assert logits.grad[:, 1].sum() > 0


def test_nothing_annotated_is_zero_and_moves_nothing():
    logits, labels = a_case()
    labels[:] = 255
    loss = overlap_loss(logits, labels, KNOWN)
    loss.backward()
    assert loss == 0
    assert logits.grad.abs().max() == 0


def slow_overlap_loss(logits, labels, known, weight=None):
    """Voxel by voxel; 255 is nobody's, and background of a partial map may be an undrawn organ."""
    weight = torch.ones(labels.shape) if weight is None else weight
    p = logits.double().softmax(1)
    voxels = torch.nonzero(labels != 255).tolist()
    entropies = []
    for case, *place in voxels:
        value = int(labels[(case, *place)])
        undrawn = [k for k in range(1, p.shape[1]) if not known[case, k]]
        meant = [0, *undrawn] if value == 0 else [value]
        right = sum(float(p[(case, k, *place)]) for k in meant)
        entropies.append(-float(weight[(case, *place)]) * math.log(right))
    dices = []
    for k in range(1, p.shape[1]):
        counted = [v for v in voxels if known[v[0], k]]
        if not counted:
            continue
        shared = predicted = drawn = 0.0
        for case, *place in counted:
            here, counts = float(p[(case, k, *place)]), float(weight[(case, *place)])
            truth = float(labels[(case, *place)] == k)
            shared, predicted = shared + counts * here * truth, predicted + counts * here
            drawn += counts * truth
        dices.append(1 - (2 * shared + 1) / (predicted + drawn + 1))
    return sum(entropies) / len(entropies) + (sum(dices) / len(dices) if dices else 0.0)


@pytest.mark.parametrize(
    "known",
    [
        [[True, True, True, True], [True, True, True, True]],
        [[True, True, False, True], [True, True, True, True]],
        [[True, False, False, True], [True, True, False, False]],
        [[True, False, False, False], [True, False, False, False]],
    ],
)
@pytest.mark.parametrize("scribbled", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_formula(known, scribbled, weighted):
    chance = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 4, 5, 4, 3, generator=chance)
    labels = torch.randint(0, 4, (2, 5, 4, 3), generator=chance)
    known = torch.tensor(known)
    for case in range(2):
        for k in range(1, 4):
            if not known[case, k]:
                labels[case][labels[case] == k] = 0
    if scribbled:
        labels[torch.rand(labels.shape, generator=chance) < 0.7] = 255
    weight = torch.rand(labels.shape, generator=chance) if weighted else None
    found = overlap_loss(logits, labels.to(torch.uint8), known, weight)
    assert abs(float(found) - slow_overlap_loss(logits, labels, known, weight)) < 1e-5


def test_following_its_gradient_makes_the_answer_better():
    logits, labels = a_case()
    before = overlap_loss(logits, labels, KNOWN)
    before.backward()
    with torch.no_grad():
        assert overlap_loss(logits - logits.grad, labels, KNOWN) < before


@pytest.mark.parametrize("known", [[True, True, True], [True, False, True]])
def test_memory_grows_with_the_voxels_and_no_faster(known):
    known = torch.tensor([known])

    def numbers(depth):
        chance = torch.Generator().manual_seed(0)
        logits = torch.randn(1, 3, depth, 8, 8, generator=chance, requires_grad=True)
        labels = torch.randint(0, 3, (1, depth, 8, 8), generator=chance)
        return numbers_made(lambda: overlap_loss(logits, labels, known))

    once, twice, fourfold = numbers(8), numbers(16), numbers(32)
    assert (fourfold - twice) / (twice - once) == pytest.approx(2, rel=0.01)
