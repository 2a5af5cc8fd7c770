"""A study: every cell once, whatever happens in between."""

import json
from dataclasses import replace

import pytest
import torch
from cmcseg.cli import main
from cmcseg.core.errors import BadInput
from cmcseg.data.cache import open_cache
from cmcseg.learn import validate as looking
from cmcseg.learn.validate import Displacement, validate
from cmcseg.nets.build import build_network
from cmcseg.study.plan import Study
from cmcseg.study.run import read_rows, run_study
from safetensors.torch import load_file
from tiny import tiny_cache

TIMES = ("seconds",)  # all else must be equal
AT_REST = Displacement()


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_cache(tmp_path_factory.mktemp("tiny"), train=3)


@pytest.fixture(scope="module")
def a_study(a_cache):
    return Study(
        cache=a_cache.folder,
        steps=3,
        seeds=(0,),
        recipes=("supervised", "paper"),
        labelled=(0.5,),
        displacements_mm=(12.0,),
    )


@pytest.fixture(scope="module")
def unbroken(a_study, tmp_path_factory):
    return timeless(run_study(a_study, tmp_path_factory.mktemp("unbroken")))


def timeless(rows):
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


class PlugPulledError(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("after", [1, 3, 5])  # of two trainings of three steps
def test_a_study_that_was_stopped_ends_with_the_same_rows(a_study, unbroken, tmp_path, after):
    calls = []

    def report(progress):
        calls.append(progress)
        if len(calls) == after:
            raise PlugPulledError

    with pytest.raises(PlugPulledError):
        run_study(a_study, tmp_path, report)
    assert timeless(run_study(a_study, tmp_path)) == unbroken
    assert timeless(read_rows(tmp_path)) == unbroken


def test_a_finished_study_trains_nothing(a_study, unbroken, tmp_path):
    run_study(a_study, tmp_path)
    before = (tmp_path / "study.csv").read_bytes()

    def report(progress):
        raise AssertionError(progress)

    assert timeless(run_study(a_study, tmp_path, report)) == unbroken
    assert (tmp_path / "study.csv").read_bytes() == before


def test_a_cell_is_written_down_before_the_next_begins(a_study, tmp_path):
    seen = []
    run_study(a_study, tmp_path, finished=lambda folder: seen.append(len(read_rows(folder))))
    assert seen == [1, 2, 3, 4]


def test_seeds_may_join_but_steps_may_not_change(a_study, unbroken, tmp_path):
    run_study(a_study, tmp_path)
    rows = run_study(replace(a_study, seeds=(0, 1)), tmp_path)
    assert timeless(rows[:4]) == unbroken
    assert [row["seed"] for row in rows[4:]] == ["1"] * 4
    with pytest.raises(BadInput, match=r"holds a study with another steps \(3\); give another"):
        run_study(replace(a_study, steps=4), tmp_path)
    with pytest.raises(BadInput, match=r"holds a study with another train \(None\); give another"):
        run_study(replace(a_study, train={"optimizer": "muon"}), tmp_path)


def test_a_network_that_does_not_suit_the_window_is_refused(a_study, tmp_path):
    deep = replace(a_study, network={"widths": [4] * 5, "strides": [[2, 2, 2]] * 4})
    with pytest.raises(BadInput, match=r"does not suit the cache: The window \(16, 16, 16\)"):
        run_study(deep, tmp_path)


def test_a_study_of_nothing_is_refused(a_study, tmp_path):
    empty = replace(a_study, recipes=("supervised",), without=("csc",))
    with pytest.raises(BadInput, match=r'The study has no cell: .* add "nothing" to without\.'):
        run_study(empty, tmp_path)


def test_a_network_of_one_scan_scores_that_scan_alone(a_study, tmp_path):
    alone = replace(a_study, recipes=("best",), modalities=("one",), displacements_mm=())
    rows = run_study(alone, tmp_path)
    assert [row["modality"] for row in rows] == ["ct", "mr"]
    assert [bool(row["ct liver"]) for row in rows] == [True, False]
    assert [bool(row["mr liver"]) for row in rows] == [False, True]


def test_scans_without_partners_cannot_be_displaced(a_cache):
    lonely = [scan for scan in a_cache.scans if scan.split == "train" or scan.role == "ct"]
    network = build_network(a_cache.card).eval()
    with pytest.raises(BadInput, match="has no validation pair with several labelled scans"):
        validate(
            network, replace(a_cache, scans=tuple(lonely)), torch.device("cpu"), together=AT_REST
        )


def test_the_partner_moves_by_the_distance_and_the_scan_itself_stays(a_cache, monkeypatch):
    seen = {}

    def look(network, images, card, trust, device):  # noqa: ARG001
        seen[len(seen)] = (images, trust)
        return {m: torch.zeros(5, *image.shape).numpy() for m, image in images.items()}

    monkeypatch.setattr(looking, "sliding_window", look)
    for apart in (None, AT_REST, Displacement(shift_mm=12.0)):
        validate(None, a_cache, torch.device("cpu"), together=apart)
    alone, there, moved = (seen[i] for i in (0, 2, 4))  # the CT of each look
    assert [set(images) for images, _ in (alone, there, moved)] == [{0}, {0, 1}, {0, 1}]
    assert [trust for _, trust in (alone, there, moved)] == [0.0, 1.0, 1.0]
    assert (there[0][0] == moved[0][0]).all()
    assert abs(centre(there[0][1]) - centre(moved[0][1])).max() > 0.2
    assert distance_mm(there[0][1], moved[0][1], 6.0) == pytest.approx(12.0, abs=3.0)


def centre(image):
    """Centre of what is brighter than the middle of the range, in voxels."""
    places = torch.nonzero(torch.from_numpy(image > (image.max() + image.min()) / 2)).double()
    return places.mean(0)


def distance_mm(a, b, spacing):
    return float((centre(a) - centre(b)).norm() * spacing)


@pytest.mark.parametrize(
    "apart", [Displacement(turn_degrees=30.0), Displacement(bend_mm=10.0)], ids=["turn", "bend"]
)
def test_the_partner_may_turn_or_bend_where_it_is(a_cache, monkeypatch, apart):
    """As much of it is bright as before, but elsewhere."""
    seen = []

    def look(network, images, card, trust, device):  # noqa: ARG001
        seen.append(images)
        return {m: torch.zeros(5, *image.shape).numpy() for m, image in images.items()}

    monkeypatch.setattr(looking, "sliding_window", look)
    for way in (AT_REST, apart):
        validate(None, a_cache, torch.device("cpu"), together=way)
    still, moved = seen[0][1], seen[2][1]
    assert (seen[0][0] == seen[2][0]).all()
    body = still > (still.max() + still.min()) / 2
    changed = moved > (moved.max() + moved.min()) / 2
    assert changed.sum() == pytest.approx(body.sum(), rel=0.3)
    assert (body & ~changed).sum() > 0.1 * body.sum()


def test_smaller_networks_start_from_their_part_of_the_same_weights(a_study, a_cache, tmp_path):
    whole = build_network(a_cache.card).state_dict()
    study = replace(
        a_study,
        recipes=("supervised",),
        without=("nothing", "mia"),
        modalities=("both", "one"),
        displacements_mm=(),
        steps=1,
    )
    rows = run_study(study, tmp_path, initial=whole)
    assert [(row["modality"], row["without"]) for row in rows] == [
        ("both", "nothing"),
        ("both", "mia"),
        ("ct", "nothing"),
        ("mr", "nothing"),
    ]
    sizes = [int(row["parameters"]) for row in rows]
    assert sizes[0] > sizes[1] > sizes[2] == sizes[3]
    # One step with the rate of the first step of a warm-up hardly moves a weight.
    for name, key, origin in (
        ("only-mr", "encoders.0.stems.0.weight", "encoders.0.stems.1.weight"),
        ("without-mia", "decoders.0.heads.1.weight", "decoders.0.heads.1.weight"),
    ):
        checkpoint = next(tmp_path.glob(f"runs/*{name}/checkpoint.safetensors"))
        found, wanted = load_file(checkpoint)[f"average.{key}"], whole[origin]
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_the_command_makes_rows_tables_and_figures(a_cache, tmp_path, capsys):
    text = (
        f"cache = {json.dumps(str(a_cache.folder))}\nsteps = 2\nseeds = [0]\nlabelled = [1]\n"
        'recipes = ["paper"]\nwithout = ["nothing", "csc"]\ndisplacements_mm = [0]\n'
    )
    (tmp_path / "study.toml").write_text(text)
    page = tmp_path / "docs" / "found.md"
    words = ["study", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out")]
    main([*words, "--page", str(page)])
    assert "found.md" in capsys.readouterr().out
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"study.csv", "plan.json", "runs", "results.md", "figures"}
    figures = {path.name for path in (page.parent / "figures").iterdir()}
    assert figures == {"found-parts.png", "found-apart.png"}  # one share is no curve
    assert all(f"(figures/{name})" in page.read_text() for name in figures)
    assert open_cache(a_cache.folder).card == a_cache.card


def test_the_command_tells_a_wrong_study_in_a_sentence(tmp_path, capsys):
    (tmp_path / "study.toml").write_text("colour = 3\n")
    with pytest.raises(SystemExit) as stop:
        main(["study", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "has the unknown key colour; a study takes cache, " in capsys.readouterr().err
