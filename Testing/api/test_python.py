"""``import cmcseg``: orientation is stated or refused, and results lie as what was given."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import cmcseg
import numpy as np
import pytest
import torch
from cmcseg.api.arrays import grid_of
from cmcseg.core.errors import BadInput
from cmcseg.imaging.files import read_label_map, read_volume
from tiny import tiny_bundle, tiny_cache, tiny_card, tiny_pairs


@pytest.fixture(scope="module")
def a_pair(tmp_path_factory):
    """Files of a CT and an MR, and a tiny model."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("pair")
    case = tiny_pairs(folder, 1)[0]
    model = tiny_bundle(folder / "model")
    return {role: folder / case[role] for role in ("ct", "mr")}, str(model)


def test_an_array_without_its_orientation_is_refused_in_words(a_pair):
    files, model = a_pair
    array = read_volume(files["ct"]).array
    for given in ({}, {"spacing": (1, 1, 1)}, {"axes": "LPS"}):
        with pytest.raises(
            BadInput, match="The ct array does not say where its voxels lie; give sp"
        ):
            cmcseg.segment({"ct": array}, model, **given)


@pytest.mark.parametrize("axes", ["LPX", "LP", "LRS", "PLL"])
def test_axes_that_are_none_are_refused(axes):
    with pytest.raises(BadInput, match="axes are three letters, one of R or L, one of A or P"):
        grid_of("It", (4, 4, 4), (1, 1, 1), axes)


def test_letters_say_where_the_index_grows_to():
    grid = grid_of("It", (5, 7, 3), (2.0, 3.0, 4.0), "LPS")
    assert np.allclose(grid.affine[:3, :3], np.diag([-2.0, -3.0, 4.0]))
    assert np.allclose(grid.center, 0)
    turned = grid_of("It", (3, 7, 5), (4.0, 3.0, 2.0), "SPL")
    assert np.allclose(turned.affine[:3, :3] @ [1, 0, 0], [0, 0, 4.0])


def test_a_scan_is_segmented_the_same_in_whatever_order_its_voxels_come(a_pair):
    files, model = a_pair
    volume = read_volume(files["ct"])  # 6 mm, RAS
    ras = cmcseg.segment({"ct": volume.array}, model, spacing=(6, 6, 6), axes="RAS")
    flipped = volume.array[::-1, ::-1].transpose(2, 1, 0)
    spl = cmcseg.segment({"ct": flipped}, model, spacing=(6, 6, 6), axes="SPL")
    assert spl.labels["ct"].shape == flipped.shape
    assert np.array_equal(spl.labels["ct"].transpose(2, 1, 0)[::-1, ::-1], ras.labels["ct"])
    by_affine = cmcseg.segment({"ct": volume.array}, model, affine=ras.scans["ct"].grid.affine)
    assert np.array_equal(by_affine.labels["ct"], ras.labels["ct"])


def test_files_and_arrays_go_together_and_the_result_is_saved_and_shows_itself(a_pair, tmp_path):
    files, model = a_pair
    affine = {"mr": read_volume(files["mr"]).grid.affine}
    scans = {"ct": files["ct"], "mr": read_volume(files["mr"]).array}
    found = cmcseg.segment(scans, model, affine=affine, align="none")
    assert found.organs[1] == "liver"
    assert set(found.volumes_ml["mr"]) == set(found.organs.values())
    (first, _) = found.save(tmp_path)
    saved = read_label_map(first, tiny_card().table)
    assert np.array_equal(saved.array, found.labels["ct"])
    page = found._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert "Research use, not for diagnosis" in page


def test_an_unknown_role_is_told_with_those_there_are(a_pair):
    with pytest.raises(BadInput, match="has no role 'pet'; its roles are ct, mr"):
        cmcseg.segment({"pet": np.zeros((4, 4, 4))}, a_pair[1])


def test_a_model_is_trained_from_python(tmp_path):
    cache = tiny_cache(tmp_path)
    steps = []
    model = cmcseg.train(
        cache.folder, tmp_path / "run", steps=1, device="cpu", name="mine", report=steps.append
    )
    assert (model / "card.json").is_file()
    assert steps
    with pytest.raises(BadInput, match="stepps"):
        cmcseg.train(cache.folder, tmp_path / "run", stepps=1)


def test_the_queue_takes_arrays_in_their_scans_axes(a_pair, tmp_path):
    files, model = a_pair
    array = read_volume(files["ct"]).array
    labels = np.zeros(array.shape, np.int64)
    labels[4:9, 4:9, 4:9] = 1
    queue = cmcseg.Queue(tmp_path / "queue")
    given = {"model": model, "id": "somebody", "spacing": (6, 6, 6), "axes": "RAS"}
    entry = queue.add({"ct": array}, {"ct": labels}, **given)
    assert [each.id for each in queue] == [entry.id]
    assert "somebody" not in json.dumps(entry.to_dict())
    assert entry.id in queue._repr_html_()
    with pytest.raises(BadInput, match="The ct labels cannot be used: Array"):
        queue.add({"ct": array}, {"ct": labels[1:]}, **given)
    with pytest.raises(BadInput, match="does not say where its voxels lie"):
        queue.add({"ct": array}, {"ct": labels}, model=model, id="x")


def test_all_that_is_offered_is_typed_and_documented():
    """Editors and type checkers see it too: ``py.typed`` is there, and the names are theirs."""
    package = Path(cmcseg.__file__).parent
    assert (package / "py.typed").is_file()
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    shown = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert shown >= set(cmcseg.__all__)
    of_queue = [part for name, part in vars(cmcseg.Queue).items() if name == "add"]
    for offered in (cmcseg.segment, cmcseg.train, cmcseg.Segmentation.save, *of_queue):
        hints = get_type_hints(offered)
        names = {name for name in inspect.signature(offered).parameters if name != "self"}
        assert names | {"return"} <= set(hints), offered
        if len(names) > 2:
            assert all(re.search(rf"\b{n}\b", offered.__doc__) for n in names), offered


def test_importing_the_package_brings_no_torch():
    words = "import sys, cmcseg; print('torch' in sys.modules, sorted(dir(cmcseg))[:1])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False")
    with pytest.raises(AttributeError, match="cmcseg has no fly; it offers segment, Segmentation"):
        cmcseg.fly  # noqa: B018
