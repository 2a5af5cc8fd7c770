"""The recipes: what each learns from, and that unlabelled windows really teach."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.core.settings import TrainSettings
from cmcseg.data.batches import labelled_batches, unlabelled_batches
from cmcseg.data.transforms import draw_placement
from cmcseg.learn.loop import fit
from cmcseg.learn.recipes import RECIPES, Step, _mixed
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


def test_the_teacher_teaches_where_it_is_sure_and_only_there(a_cache):
    step = a_step(a_cache)
    doubtful = RECIPES["best"](step)
    assert float(doubtful["teacher ct"].detach()) == 0.0  # an untrained teacher is sure of nothing
    for head in step.teacher.decoders[0].heads:
        torch.nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.bias.copy_(torch.tensor([0.0, 9.0, 0, 0, 0]))
    names = moved(step.network, RECIPES["best"](step)["teacher ct"])
    assert any("stems.0" in name for name in names)


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


def test_a_mixture_has_the_truth_in_the_middle_and_the_teacher_around_it(a_cache):
    step = a_step(a_cache)
    said = {m: torch.full_like(step.unlabelled.labels[m], 4) for m in (0, 1)}
    mixed = _mixed(step.labelled, step.unlabelled, said)
    for m in (0, 1):
        middle = (slice(None), *(slice(5, 11),) * 3)
        assert torch.equal(mixed.labels[m][middle], step.labelled.labels[m][middle])
        assert (mixed.labels[m][:, 0] == 4).all()
        assert torch.equal(mixed.images[m][:, :, 0], step.unlabelled.images[m][:, :, 0])
    assert (said[0] == 4).all()  # what the teacher said is not written into


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
