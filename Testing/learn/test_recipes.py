"""The recipes: what each learns from, and that unlabelled windows really teach."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import labelled_batches, unlabelled_batches
from cmcseg.data.transforms import draw_placement
from cmcseg.learn.loop import fit
from cmcseg.learn.recipes import RECIPES, Step
from cmcseg.learn.targets import drawn, mixed, taught
from cmcseg.nets.build import build_network
from tiny import tiny_cache

SETTINGS = TrainSettings(steps=4, check_every=1, device="cpu", warmup=1, labelled=0.5)


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_cache(tmp_path_factory.mktemp("tiny"), train=4)


def a_step(a_cache, share=1.0, **changes):
    settings = replace(SETTINGS, **changes)
    torch.manual_seed(0)
    return Step(
        network=build_network(a_cache.card).train(),
        teacher=build_network(a_cache.card).eval(),
        labelled=labelled_batches(a_cache, settings)[0],
        unlabelled=unlabelled_batches(a_cache, settings)[0],
        roles=a_cache.card.roles,
        share=share,
        settings=settings,
    )


def moved(network, loss):
    """Names of the parameters that a loss pushes."""
    network.zero_grad()
    loss.backward()
    return {
        name
        for name, p in network.named_parameters()
        if p.grad is not None and float(p.grad.abs().max()) > 0
    }


@pytest.mark.parametrize(
    ("recipe", "term"),
    [("paper", "csc"), ("paper", "cac"), ("best", "csc"), ("best", "cac")],
)
def test_an_unlabelled_term_alone_moves_what_both_modalities_use(a_cache, recipe, term):
    step = a_step(a_cache)
    names = moved(step.network, RECIPES[recipe](step)[term])
    for modality in (0, 1):
        assert any(f"stems.{modality}" in name for name in names), (term, modality)


def test_the_teacher_counts_as_much_as_it_is_sure(a_cache):
    step = a_step(a_cache)
    said = taught(step.teacher, step.unlabelled)
    assert said[0].weight_BDHW.max() < 0.7  # an untrained teacher
    certain_of(step.teacher, 1)
    said = taught(step.teacher, step.unlabelled)
    assert (said[0].labels_BDHW == 1).all()
    assert said[0].weight_BDHW.min() > 0.99
    names = moved(step.network, RECIPES["best"](step)["teacher ct"])
    assert any("stems.0" in name for name in names)


def test_where_the_teacher_has_no_idea_nothing_is_learned(a_cache):
    step = a_step(a_cache)
    logits = torch.zeros(1, 5, 4, 4, 4, requires_grad=True)
    nobody = SimpleNamespace(logits_BKDHW=logits, bottleneck_BCDHW=None, decoded_BCDHW=None)
    target = taught(lambda images, trust: {0: nobody}, step.unlabelled)[0]  # noqa: ARG005
    assert target.weight_BDHW.abs().max() < 1e-6
    target.loss(nobody).backward()
    assert logits.grad.abs().max() < 1e-6


def certain_of(teacher, organ):
    for head in teacher.decoders[0].heads:
        torch.nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.bias.copy_(torch.tensor([9.0 if k == organ else 0.0 for k in range(5)]))


def test_terms_wait_for_their_ramps(a_cache):
    early = RECIPES["best"](a_step(a_cache, share=0.0))
    assert float(early["cac"].detach()) == 0.0
    assert float(early["teacher ct"]) == float(early["mixed mr"]) == 0.0
    late = RECIPES["best"](a_step(a_cache, share=1.0))
    assert float(late["csc"].detach()) > float(early["csc"].detach())
    assert float(late["mixed ct"].detach()) > 0.0
    assert list(early) == list(late)


def test_unlabelled_windows_are_drawn_without_looking_at_the_truth(a_cache):
    before = unlabelled_batches(a_cache, SETTINGS)[3]
    withheld = {scan.pair for scan in unlabelled_batches(a_cache, SETTINGS).scans[0]}
    blind = replace(
        a_cache,
        scans=tuple(
            replace(scan, labels=None) if scan.pair in withheld else scan for scan in a_cache.scans
        ),
    )
    after = unlabelled_batches(blind, replace(SETTINGS, labelled=1.0))[3]
    for m in (0, 1):
        assert (before.labels[m] == 255).all()
        assert torch.equal(before.images[m], after.images[m])


def test_the_share_of_labels_is_kept_to_and_the_rest_goes_unlabelled(a_cache):
    labelled, rest = labelled_batches(a_cache, SETTINGS), unlabelled_batches(a_cache, SETTINGS)
    for mine, others in zip(labelled.scans, rest.scans, strict=True):
        assert len(mine) == len(others) == 2
        assert not {scan.pair for scan in mine} & {scan.pair for scan in others}


def test_a_batch_is_a_function_of_seed_and_step(a_cache):
    one, two = (labelled_batches(a_cache, SETTINGS) for _ in range(2))
    for _ in range(3):
        two[1]  # what was drawn before must not matter
    assert torch.equal(one[2].images[0], two[2].images[0])
    assert not torch.equal(one[2].images[0], one[3].images[0])
    other = labelled_batches(a_cache, replace(SETTINGS, seed=1))
    assert not torch.equal(one[2].images[0], other[2].images[0])


def test_left_stays_left():
    """No window is mirrored, else the kidneys would have to swap their names."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        matrix = draw_placement(rng, np.zeros(3), (3.0, 3.0, 3.0)).matrix
        assert np.linalg.det(matrix) > 0
        assert matrix[0, 0] > 0.5


def test_windows_are_pasted_into_each_other_with_what_is_known_of_them(a_cache):
    step = a_step(a_cache)
    certain_of(step.teacher, 4)
    said = taught(step.teacher, step.unlabelled)
    truth = drawn(step.labelled)
    sides = ((step.labelled.images, truth), (step.unlabelled.images, said))
    ways = mixed(step.labelled, step.unlabelled, said)
    for (images, targets), inner, outer in zip(ways, sides, sides[::-1], strict=True):
        for m in (0, 1):
            middle = (slice(None), *(slice(5, 11),) * 3)
            assert torch.equal(images[m][:, 0][middle], inner[0][m][:, 0][middle])
            assert torch.equal(images[m][:, :, 0], outer[0][m][:, :, 0])
            for column in ("labels_BDHW", "weight_BDHW"):
                found = getattr(targets[m], column)
                assert torch.equal(found[middle], getattr(inner[1][m], column)[middle])
                assert torch.equal(found[:, 0], getattr(outer[1][m], column)[:, 0])
    assert (said[0].labels_BDHW == 4).all()  # what the teacher said is not written into


@pytest.mark.parametrize("recipe", ["paper", "best"])
def test_an_interrupted_run_ends_as_an_unbroken_one(a_cache, tmp_path, recipe):
    settings = replace(SETTINGS, recipe=recipe)
    fit(a_cache, settings, tmp_path / "one", validate_every=0)

    class PlugPulledError(Exception):
        pass

    def report(progress):
        if progress.fraction >= 0.5:
            raise PlugPulledError

    with pytest.raises(PlugPulledError):
        fit(a_cache, settings, tmp_path / "two", validate_every=0, report=report)
    fit(a_cache, settings, tmp_path / "two", validate_every=0)
    one, two = ((tmp_path / name / "losses.csv").read_text() for name in ("one", "two"))
    assert one == two
    assert len({line.count(",") for line in one.splitlines()}) == 1  # columns stay in line
