"""A model leaves as a MONAI bundle whose networks say the same and which MONAI runs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.monai_bundle import OneScan, axcodes, exported, inference, write_monai_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import task_card
from cmcseg.core.errors import BadInput
from cmcseg.imaging.files import read_label_map
from cmcseg.imaging.intensity import normalise
from tiny import tiny_card, tiny_pairs, tiny_state


@pytest.fixture(scope="module")
def a_model(tmp_path_factory):
    torch.set_num_threads(1)
    card = tiny_card()
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    folder = tmp_path_factory.mktemp("model") / "model"
    save_bundle(tiny_state(card), card, folder)
    return load_bundle(folder)


@pytest.fixture(scope="module")
def a_bundle(a_model, tmp_path_factory):
    return write_monai_bundle(a_model, tmp_path_factory.mktemp("monai") / "bundle")


def test_an_exported_network_says_the_same(a_model, a_bundle):
    for number, role in enumerate(a_model.card.roles):
        program = torch.export.load(a_bundle / "models" / f"{role}.pt2").module()
        image = torch.randn(1, 1, 16, 16, 16)
        with torch.no_grad():
            wanted = OneScan(a_model.network, number)(image)
            assert torch.allclose(program(image), wanted, atol=1e-5)


# MONAI tells of a reader of DICOM that is not installed, and of its own older names.
@pytest.mark.filterwarnings(
    "ignore:NvImgCodec:UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)
def test_monai_runs_it_and_finds_what_the_network_says(a_model, a_bundle, tmp_path):
    from cmcseg.imaging.files import read_volume
    from monai.bundle import ConfigParser
    from monai.inferers import SlidingWindowInferer

    case = tiny_pairs(tmp_path, 1)[0]
    for role, name in (("ct", "inference.json"), ("mr", "inference_mr.json")):
        parser = ConfigParser()
        parser.read_config(a_bundle / "configs" / name)
        parser["bundle_root"] = str(a_bundle)
        parser["image"] = str(tmp_path / case[role])
        parser["output_dir"] = str(tmp_path / role)
        parser.get_parsed_content("run")
        (file,) = (tmp_path / role).iterdir()
        volume = read_volume(tmp_path / case[role])  # on the working grid's own lattice
        found = read_label_map(file, a_model.card.table, on=volume.grid).array
        image = torch.from_numpy(normalise(volume, a_model.card.input(role)))[None, None]
        inferer = SlidingWindowInferer((16, 16, 16), 1, 0.25, mode="gaussian")
        module = OneScan(a_model.network, a_model.card.roles.index(role))
        with torch.no_grad():
            ours = inferer(image, module)[0].argmax(dim=0).numpy()
        assert np.mean(found == ours) > 0.999
        assert len(np.unique(ours)) > 1


def test_the_hearts_axes_and_numbers_are_told_in_monais_words():
    card = task_card("heart")
    assert sorted("RLAPSI".index(letter) // 2 for letter in axcodes(card.grid)) == [0, 1, 2]
    assert axcodes(task_card("abdomen").grid) == "RAS"
    steps = inference(card, card.inputs[0])["preprocessing"]["transforms"]
    assert "standardise" in steps[2]["func"]
    json.dumps(inference(card, card.inputs[0]))


def test_a_folder_that_is_there_is_not_written_into(a_model, tmp_path):
    with pytest.raises(BadInput, match="exists already; give another folder"):
        write_monai_bundle(a_model, tmp_path)


def test_export_is_of_one_window(a_model):
    assert exported(a_model, "ct").graph_signature.user_outputs
