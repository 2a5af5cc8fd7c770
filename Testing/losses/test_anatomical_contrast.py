"""L_CAC in its two forms: sign, formula, memory."""

import math

import pytest
import torch
from cmcseg.losses.anatomical_contrast import overlap_contrast, prototype_contrast
from counting import numbers_made
from slow_twins import slow_info_nce

CLASSES, CHANNELS = 4, 6


def normal(seed, shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def a_modality(seed, cases=2, size=4):
    """Features on a grid half as fine as the class scores."""
    features = normal(seed, (cases, CHANNELS, size, size, size))
    return features, 2 * normal(seed + 100, (cases, CLASSES, 2 * size, 2 * size, 2 * size))


def organs(tissues, seed, sure=8.0):
    """A modality in which organ k fills a slab and has the features ``tissues[k]``, and noise."""
    labels = (torch.arange(16) // 4).view(1, 16, 1, 1).expand(1, 16, 8, 8)
    logits = sure * torch.nn.functional.one_hot(labels, CLASSES).permute(0, 4, 1, 2, 3).float()
    features = tissues[labels].permute(0, 4, 1, 2, 3)
    return features + 0.3 * normal(seed, features.shape), logits


def slow_prototype_contrast(features_a, logits_a, features_b, logits_b, temperature):
    def prototypes(features, logits):
        p = logits.double().softmax(1)
        means = torch.zeros(*p.shape[:2], features.shape[1], dtype=torch.float64)
        sure = torch.zeros(p.shape[:2], dtype=torch.float64)
        coarse = torch.nn.functional.avg_pool3d(p, 2)
        for case in range(p.shape[0]):
            for k in range(p.shape[1]):
                places = torch.nonzero(coarse[case, k] >= 0).tolist()
                weights = [coarse[(case, k, *place)] for place in places]
                vectors = [features[(case, slice(None), *place)].double() for place in places]
                means[case, k] = sum(w * v for w, v in zip(weights, vectors, strict=True))
                means[case, k] /= sum(weights)
                sure[case, k] = (p[case, k] ** 2).sum() / p[case, k].sum()
        return means, sure

    means_a, sure_a = prototypes(features_a, logits_a)
    means_b, sure_b = prototypes(features_b, logits_b)
    losses = slow_info_nce(means_a, means_b, temperature)
    terms = [
        float(sure_a[case, k] * sure_b[case, k] * losses[case, k])
        for case in range(losses.shape[0])
        for k in range(1, losses.shape[1])
    ]
    return sum(terms) / len(terms)


def slow_overlap(logits_a, logits_b):
    p, q = logits_a.double().softmax(1), logits_b.double().softmax(1)
    terms = []
    for case in range(p.shape[0]):
        for k in range(1, p.shape[1]):
            x, y = p[case, k].flatten().tolist(), q[case, k].flatten().tolist()
            shared = sum(u * v for u, v in zip(x, y, strict=True))
            total = sum(u * u for u in x) + sum(v * v for v in y)
            terms.append(1 - (2 * shared + 1) / (total + 1))
    return sum(terms) / len(terms)


class TestPrototypes:
    def test_they_are_the_formula(self):
        a, b = a_modality(0), a_modality(1)
        found = float(prototype_contrast(*a, *b, temperature=0.3))
        assert abs(found - slow_prototype_contrast(*a, *b, 0.3)) < 1e-5

    def test_the_loss_is_low_when_organs_look_alike_in_both_modalities(self):
        tissues = normal(0, (CLASSES, CHANNELS))
        same = prototype_contrast(*organs(tissues, 1), *organs(tissues, 2))
        other = prototype_contrast(*organs(tissues, 1), *organs(tissues.roll(1, dims=0), 2))
        assert same < 0.5 < other

    def test_following_the_gradient_brings_the_modalities_together(self):
        features_a, logits_a = organs(normal(0, (CLASSES, CHANNELS)), 1)
        features_b, logits_b = organs(normal(3, (CLASSES, CHANNELS)), 2)
        features_a.requires_grad_()
        before = prototype_contrast(features_a, logits_a, features_b, logits_b)
        before.backward()
        with torch.no_grad():
            better = features_a - 10 * features_a.grad
            assert prototype_contrast(better, logits_a, features_b, logits_b) < before

    def test_an_unsure_modality_has_less_say(self):
        tissues_a, tissues_b = normal(0, (CLASSES, CHANNELS)), normal(3, (CLASSES, CHANNELS))
        sure = prototype_contrast(*organs(tissues_a, 1), *organs(tissues_b, 2))
        unsure = prototype_contrast(*organs(tissues_a, 1), *organs(tissues_b, 2, sure=0.5))
        assert unsure < 0.6 * sure

    def test_doubting_does_not_pay(self):
        """The temperature of the class scores has no gradient of its own."""
        features_a, logits_a = organs(normal(0, (CLASSES, CHANNELS)), 1)
        constant = torch.ones_like(features_a)  # prototypes do not depend on the scores
        scale = torch.ones((), requires_grad=True)
        prototype_contrast(constant, scale * logits_a, constant, logits_a).backward()
        assert abs(float(scale.grad)) < 1e-6

    def test_an_organ_outside_one_window_costs_nothing(self):
        tissues_a, tissues_b = normal(0, (CLASSES, CHANNELS)), normal(3, (CLASSES, CHANNELS))
        (features_a, logits_a), (features_b, logits_b) = organs(tissues_a, 1), organs(tissues_b, 2)
        seen = prototype_contrast(features_a, logits_a, features_b, logits_b)
        logits_a[:, 1:] = -40.0
        unseen = prototype_contrast(features_a, logits_a, features_b, logits_b)
        assert 0 <= unseen < 1e-6 < 0.5 < seen

    def test_scans_may_have_different_shapes(self):
        loss = prototype_contrast(*a_modality(0, size=4), *a_modality(1, size=5))
        assert math.isfinite(loss)

    def test_a_shift_of_the_organs_changes_nothing(self):
        tissues = normal(0, (CLASSES, CHANNELS))
        a, (features, logits) = organs(tissues, 1), organs(tissues + 0.5, 2)
        here = prototype_contrast(*a, features, logits)
        there = prototype_contrast(*a, features.roll(3, 2), logits.roll(3, 2))
        torch.testing.assert_close(here, there)

    def test_memory_grows_with_the_voxels_and_no_faster(self):
        def numbers(size):
            a, b = a_modality(0, 1, size), a_modality(1, 1, size)
            for x in (*a, *b):
                x.requires_grad_()
            return numbers_made(lambda: prototype_contrast(*a, *b))

        once, more, most = (numbers(size) for size in (4, 8, 16))
        assert (most - more) / (more - once) == pytest.approx(8, rel=0.01)


class TestOverlap:
    def test_it_is_the_formula(self):
        (_, a), (_, b) = a_modality(0), a_modality(1)
        assert abs(float(overlap_contrast(a, b)) - slow_overlap(a, b)) < 1e-5

    def test_equal_predictions_cost_nothing_however_soft(self):
        _, a = a_modality(0)
        assert abs(float(overlap_contrast(0.1 * a, 0.1 * a))) < 1e-6

    def test_it_rises_with_disagreement(self):
        (_, a), (_, b) = a_modality(0), a_modality(1)
        losses = [float(overlap_contrast(a, a + t * (b - a))) for t in (0, 0.25, 0.5, 0.75, 1)]
        assert losses == sorted(losses)

    def test_following_the_gradient_makes_predictions_agree(self):
        (_, a), (_, b) = a_modality(0), a_modality(1)
        a.requires_grad_()
        before = overlap_contrast(a, b)
        before.backward()
        with torch.no_grad():
            assert overlap_contrast(a - 10 * a.grad, b) < before

    def test_an_organ_in_neither_window_costs_nothing(self):
        labels = torch.zeros(1, 8, 8, 8, dtype=torch.long)
        logits = 50.0 * torch.nn.functional.one_hot(labels, 3).permute(0, 4, 1, 2, 3)
        assert overlap_contrast(logits, logits) == 0

    def test_memory_grows_with_the_voxels_and_no_faster(self):
        def numbers(size):
            (_, a), (_, b) = a_modality(0, 1, size), a_modality(1, 1, size)
            return numbers_made(lambda: overlap_contrast(a.requires_grad_(), b.requires_grad_()))

        once, more, most = (numbers(size) for size in (4, 8, 16))
        assert (most - more) / (more - once) == pytest.approx(8, rel=0.01)

    def test_different_grids_are_refused(self):
        words = (
            r"^Overlap needs one common grid; shapes \(1, 2, 4, 4, 4\) and \(1, 2, 4, 4, 5\) "
            r"differ\.$"
        )
        with pytest.raises(ValueError, match=words):
            overlap_contrast(torch.zeros(1, 2, 4, 4, 4), torch.zeros(1, 2, 4, 4, 5))
