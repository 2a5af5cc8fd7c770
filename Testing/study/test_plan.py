"""A study's file: what it may say, and which cells follow."""

from pathlib import Path

import pytest
from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.study.plan import Cell, Study, read_study

LEAST = (
    'cache = "c"\nsteps = 3\nseeds = [0, 1]\nrecipes = ["supervised", "paper"]\nlabelled = [0.1]\n'
)
ROLES = ("ct", "mr")


def written(folder, text):
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_five_keys_make_a_study_and_the_cache_lies_beside_the_file(tmp_path):
    study = read_study(written(tmp_path, LEAST))
    assert study.cache == tmp_path / "c"
    assert [cell.training for cell in study.cells(ROLES)] == [
        "supervised_0.1_seed0",
        "paper_0.1_seed0",
        "supervised_0.1_seed1",
        "paper_0.1_seed1",
    ]


def test_only_one_thing_is_left_out_at_a_time_and_only_what_was_there(tmp_path):
    more = 'without = ["nothing", "csc", "cac"]\nfusion = [true, false]\n'
    more += 'modalities = ["both", "one"]\n'
    study = read_study(written(tmp_path, LEAST.replace("[0, 1]", "[0]") + more))
    assert [cell.training for cell in study.cells(ROLES)] == [
        "supervised_0.1_seed0",
        "supervised_0.1_seed0_without-fusion",
        "supervised_0.1_seed0_only-ct",
        "supervised_0.1_seed0_only-mr",
        "paper_0.1_seed0",
        "paper_0.1_seed0_without-fusion",
        "paper_0.1_seed0_without-csc",
        "paper_0.1_seed0_without-cac",
    ]


def test_displacements_are_more_tests_of_one_training_that_has_learned_to_fuse(tmp_path):
    more = "fusion = [true, false]\ndisplacements_mm = [0, 20]\n"
    text = LEAST.replace("[0, 1]", "[0]").replace(', "paper"', "") + more
    cells = read_study(written(tmp_path, text)).cells(ROLES)
    assert [cell.apart_mm for cell in cells if cell.fusion] == [None, 0, 20]
    assert [cell.apart_mm for cell in cells if not cell.fusion] == [None]
    assert len({cell.training for cell in cells if cell.fusion}) == 1


def test_a_displaced_scan_is_shifted_turned_or_bent_and_stays_in_place_once(tmp_path):
    more = "displacements_mm = [0, 20]\nturns_degrees = [0, 10]\nbends_mm = [4]\n"
    text = LEAST.replace("[0, 1]", "[0]").replace(', "paper"', "") + more
    cells = read_study(written(tmp_path, text)).cells(ROLES)
    assert [(cell.apart_mm, cell.turn_degrees, cell.bend_mm) for cell in cells] == [
        (None, None, None),
        (0, 0, 0),
        (20, 0, 0),
        (0, 10, 0),
        (0, 0, 4),
    ]


def test_mia_may_be_left_out_of_a_supervised_training_and_losses_may_not(tmp_path):
    text = LEAST.replace("[0, 1]", "[0]") + 'without = ["nothing", "csc", "mia"]\n'
    cells = read_study(written(tmp_path, text)).cells(ROLES)
    assert [cell.without for cell in cells] == ["nothing", "mia", "nothing", "csc", "mia"]


def test_trainings_that_differ_have_names_that_differ():
    plain = {"recipe": "best", "labelled": 0.1, "seed": 0}
    others = [
        {"without": "csc"},
        {"without": "cac"},
        {"without": "mia"},
        {"fusion": False},
        {"seed": 1},
    ]
    others += [{"fusion": False, "modality": "ct"}, {"labelled": 0.125}, {"recipe": "paper"}]
    names = {Cell(**{**plain, **change}).training for change in ({}, *others)}
    assert len(names) == len(others) + 1


def test_the_base_channels_scale_every_level_of_the_cards_network(tmp_path):
    study = read_study(written(tmp_path, LEAST + "base_channels = 8\n"))
    assert study.spec(NetworkSpec()).widths == (8, 16, 32, 48)
    assert study.spec(NetworkSpec()).strides == NetworkSpec().strides


def test_a_table_replaces_settings_of_the_cards_network(tmp_path):
    text = LEAST + '[network]\nwidths = [4, 8]\nstrides = [[2, 2, 1]]\nfusion = "attention"\n'
    spec = read_study(written(tmp_path, text)).spec(NetworkSpec())
    assert (spec.widths, spec.strides, spec.fusion) == ((4, 8), ((2, 2, 1),), "attention")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("steps", "stops"), "has the unknown key stops; a study takes cache, steps, seeds, "),
        (('cache = "c"\n', ""), "The study study.toml lacks cache."),
        (("steps = 3", "steps = 0"), "steps is 0; it must be a whole number above 0."),
        (("steps = 3", "steps = true"), "steps is True; it must be a whole number above 0."),
        (("seeds = [0, 1]", "seeds = 3"), "seeds is 3; it must be a list of whole numbers."),
        (("[0, 1]", "[]"), "seeds is []; it must be a list of whole numbers."),
        (("[0, 1]", "[1, 1]"), "seeds is [1, 1]; it names something twice."),
        (('"paper"', '"magic"'), 'a list of "supervised", "paper", "best".'),
        (("[0.1]", "[10]"), "labelled is [10]; it must be a list of shares above 0 and up to 1."),
        (("steps = 3", "steps = "), "study.toml is not TOML: "),
    ],
)
def test_a_wrong_key_or_value_is_told_in_one_sentence(tmp_path, change, told):
    with pytest.raises(BadInput) as caught:
        read_study(written(tmp_path, LEAST.replace(*change)))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.toml cannot be read: No such file"):
        read_study(tmp_path / "nowhere.toml")


def test_two_ways_to_say_the_network_are_refused(tmp_path):
    text = LEAST + "base_channels = 8\n[network]\nwidths = [8, 16]\n"
    with pytest.raises(BadInput, match=r"takes base_channels or \[network\], not both\."):
        read_study(written(tmp_path, text))


def test_a_table_sets_how_every_cell_is_trained_beside_what_the_grid_decides(tmp_path):
    text = LEAST + 'without = ["csc"]\n[train]\noptimizer = "muon"\naverage = 0.9\n'
    study = read_study(written(tmp_path, text))
    settings = [study.settings(cell) for cell in study.cells(ROLES)]
    assert {(s.recipe, s.seed) for s in settings} == {("paper", 0), ("paper", 1)}
    assert all(s.optimizer == "muon" and s.average == 0.9 and s.csc == 0.0 for s in settings)
    assert {(s.steps, s.labelled) for s in settings} == {(3, 0.1)}


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ({"seed": 3}, r"The study's \[train\] sets seed; that is the study's to decide\."),
        ({"wings": 2}, r"The study's \[train\] cannot be used: .*wings"),
        ({"augment": 3}, r"The study's \[train\] cannot be used: The augment share 3 is outside"),
        ({"rate": "fast"}, r"The study's \[train\] cannot be used: "),
    ],
)
def test_settings_of_training_that_cannot_be_are_refused(train, sentence):
    study = Study(
        cache=Path("c"), steps=1, seeds=(0,), recipes=("best",), labelled=(1.0,), train=train
    )
    with pytest.raises(BadInput, match=sentence):
        study.settings(study.cells(ROLES)[0])


@pytest.mark.parametrize("network", [{"wings": 2}, {"widths": [4, 8]}])
def test_a_network_that_cannot_be_is_refused(tmp_path, network):
    study = Study(
        cache=tmp_path, steps=1, seeds=(0,), recipes=("best",), labelled=(1.0,), network=network
    )
    with pytest.raises(BadInput, match=r"The study's \[network\] cannot be built: "):
        study.spec(NetworkSpec())


def test_a_model_to_start_from_is_a_name_or_a_folder_beside_the_file(tmp_path):
    (tmp_path / "start").mkdir()
    for name, found in (("start", str(tmp_path / "start")), ("abdomen-ct-mr", "abdomen-ct-mr")):
        assert read_study(written(tmp_path, LEAST + f'init = "{name}"\n')).init == found
