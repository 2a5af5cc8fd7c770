"""The supervised loss and what it must not learn from."""

import torch
from cmcseg.losses.overlap import overlap_loss

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
