"""A saved model is whole, small, readable by MONAI, and never half there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cmcseg.bundle import folders
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import monai_metadata, save_bundle
from cmcseg.bundle.store import task_card
from cmcseg.bundle.verify import CARD, FILES, METADATA, WEIGHTS, read_card, read_folder
from cmcseg.core.errors import BadInput
from safetensors import safe_open
from tiny import tiny_bundle, tiny_card, tiny_state

# What MONAI's meta_schema_20240725.json requires, in our own words: keys and types at the top, and
# the same of each tensor.
TEXTS = (
    "schema",
    "version",
    "monai_version",
    "pytorch_version",
    "numpy_version",
    "task",
    "description",
    "authors",
    "copyright",
)
TEXT, RECORD = {"type": "string"}, {"type": "object"}
TENSOR = {
    "type": "object",
    "properties": {
        "type": TEXT,
        "format": TEXT,
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "dtype": TEXT,
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": RECORD,
    },
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
}
TENSORS = {"type": "object", "additionalProperties": TENSOR}
SCHEMA = {
    "type": "object",
    "properties": {
        **dict.fromkeys(TEXTS, TEXT),
        "required_packages_version": RECORD,
        "eval_metrics": RECORD,
        "references": {"type": "array", "items": TEXT},
        "network_data_format": {
            "type": "object",
            "properties": {"inputs": TENSORS, "outputs": TENSORS},
            "required": ["inputs", "outputs"],
        },
    },
    "required": [*TEXTS, "required_packages_version", "network_data_format"],
}


@pytest.fixture
def a_card():
    return tiny_card()


@pytest.fixture
def a_state(a_card):
    return tiny_state(a_card)


def refusal(run, *args, **more) -> str:
    with pytest.raises(BadInput) as caught:
        run(*args, **more)
    return str(caught.value)


def test_a_model_is_four_files_and_nothing_else(a_state, a_card, tmp_path):
    save_bundle(a_state, a_card, tmp_path / "m")
    found = {p.relative_to(tmp_path / "m").as_posix() for p in (tmp_path / "m").rglob("*.*")}
    assert found | {"SHA256SUMS"} == set(FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_weights_are_kept_in_half_precision_and_counts_as_they_are(a_state, a_card, tmp_path):
    save_bundle(a_state, a_card, tmp_path / "m")
    with safe_open(tmp_path / "m" / WEIGHTS, framework="pt") as handle:
        kept = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    assert set(kept) == set(a_state)
    for key, value in a_state.items():
        assert kept[key].dtype == torch.float16
        assert torch.equal(kept[key], value.half())


def test_saving_then_loading_then_saving_gives_the_same_bytes(a_state, a_card, tmp_path):
    save_bundle(a_state, a_card, tmp_path / "one")
    loaded = load_bundle(tmp_path / "one")
    save_bundle(loaded.network.state_dict(), loaded.card, tmp_path / "two")
    assert read_folder(tmp_path / "one") == read_folder(tmp_path / "two")


def test_the_card_comes_back_with_the_sum_of_the_weights(a_state, a_card, tmp_path):
    card = save_bundle(a_state, replace(a_card, sha256="stale"), tmp_path / "m")
    assert card == read_card(tmp_path / "m")
    assert replace(card, sha256="") == a_card


def test_weights_that_share_memory_are_saved(a_state, a_card, tmp_path):
    pool = torch.cat([value.flatten() for value in a_state.values()])
    views = pool.split([value.numel() for value in a_state.values()])
    shared = {
        key: view.view(value.shape)
        for (key, value), view in zip(a_state.items(), views, strict=True)
    }
    save_bundle(shared, a_card, tmp_path / "shared")
    save_bundle(a_state, a_card, tmp_path / "own")
    assert read_folder(tmp_path / "shared") == read_folder(tmp_path / "own")


@pytest.mark.parametrize(
    ("value", "told"), [(1e6, "1e+06"), (float("inf"), "inf"), (float("nan"), "nan")]
)
def test_weights_beyond_half_precision_are_refused(a_state, a_card, tmp_path, value, told):
    key = next(iter(a_state))
    a_state[key] = a_state[key].clone()
    a_state[key].view(-1)[0] = value
    assert refusal(save_bundle, a_state, a_card, tmp_path / "m") == (
        f"The weights {key} are not finite in half precision (largest {told}); the training "
        "diverged, take an earlier checkpoint."
    )
    assert not (tmp_path / "m").exists()


def test_weights_of_another_network_are_refused(a_state, a_card, tmp_path):
    key = sorted(a_state)[0]
    del a_state[key]
    assert refusal(save_bundle, a_state, a_card, tmp_path / "m") == (
        f"The weights in abdomen-ct-mr do not fit the network of its card: {key} is missing."
    )
    assert not any(tmp_path.iterdir())


def test_a_card_that_json_cannot_hold_is_refused(a_state, a_card, tmp_path):
    nan = replace(a_card, measured={"liver": float("nan")})
    assert refusal(save_bundle, a_state, nan, tmp_path / "m").startswith(
        "The card of abdomen-ct-mr cannot be written as JSON: Out of range float values"
    )


def test_a_name_that_is_no_folder_name_is_refused(a_state, a_card, tmp_path):
    bad = replace(a_card, name="abdomen/ct")
    assert refusal(save_bundle, a_state, bad, tmp_path / "m").startswith(
        "The model name 'abdomen/ct' cannot name a folder;"
    )


# Making room


def test_saving_the_same_model_twice_leaves_it_alone(tmp_path):
    tiny_bundle(tmp_path / "m")
    before = (tmp_path / "m" / CARD).stat()
    tiny_bundle(tmp_path / "m")
    after = (tmp_path / "m" / CARD).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_model_is_not_overwritten_unless_told(a_card, tmp_path):
    tiny_bundle(tmp_path / "m")
    before = read_folder(tmp_path / "m")
    other = tiny_state(a_card, seed=1)
    assert refusal(save_bundle, other, a_card, tmp_path / "m") == (
        f"{tmp_path / 'm'} holds something else; replace it or give another folder."
    )
    assert read_folder(tmp_path / "m") == before
    card = save_bundle(other, a_card, tmp_path / "m", replace=True)
    assert load_bundle(tmp_path / "m").card == card
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_an_empty_folder_is_room_enough(tmp_path):
    (tmp_path / "m").mkdir()
    assert load_bundle(tiny_bundle(tmp_path / "m")).card.name == "abdomen-ct-mr"


def test_missing_parents_are_made(tmp_path):
    assert (tiny_bundle(tmp_path / "a" / "b" / "m") / CARD).is_file()


def test_what_is_no_model_is_never_deleted(a_state, a_card, tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years")
    assert refusal(save_bundle, a_state, a_card, tmp_path, replace=True) == (
        f"{tmp_path} holds something that is no model; give another folder."
    )
    folder = tiny_bundle(tmp_path / "m")
    (folder / "thesis.txt").write_text("ten years")
    other = replace(a_card, title="Other")
    assert refusal(save_bundle, a_state, other, folder, replace=True) == (
        f"thesis.txt in {folder} is no part of a model; take it out."
    )
    assert (folder / "thesis.txt").is_file()


def test_the_old_model_comes_back_when_the_new_one_cannot_take_its_place(
    a_card, tmp_path, monkeypatch
):
    tiny_bundle(tmp_path / "m")
    before = read_folder(tmp_path / "m")
    rename, calls = Path.rename, []

    def second_fails(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(folders, "_EXCHANGE", {})  # a system that cannot exchange two names
    monkeypatch.setattr(Path, "rename", second_fails)
    words = refusal(save_bundle, tiny_state(a_card, 1), a_card, tmp_path / "m", replace=True)
    assert words == f"{tmp_path / 'm'} cannot be written: No space left on device."
    assert read_folder(tmp_path / "m") == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_parent_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    assert refusal(tiny_bundle, tmp_path / "file" / "m") == (
        f"{tmp_path / 'file' / 'm'} cannot be written: Not a directory."
    )


# MONAI


@pytest.mark.filterwarnings("ignore")  # MONAI's own, at import and for the missing hash
@pytest.mark.parametrize("task", ["abdomen", "heart", "orbit"])
def test_monai_accepts_the_metadata(task, tmp_path):
    pytest.importorskip("jsonschema", reason="MONAI needs it to verify metadata")
    from monai.bundle import verify_metadata

    schema = tmp_path / "schema.json"  # MONAI downloads nothing where the file is there already
    schema.write_text(json.dumps(SCHEMA))
    meta = tiny_bundle(tmp_path / "m", task) / METADATA
    verify_metadata(meta_file=str(meta), filepath=str(schema))
    value = json.loads(meta.read_text())
    del value["authors"]
    meta.write_text(json.dumps(value))
    with pytest.raises(ValueError, match="'authors' is a required property"):
        verify_metadata(meta_file=str(meta), filepath=str(schema))


@pytest.mark.parametrize("task", ["abdomen", "heart", "orbit"])
def test_the_metadata_says_what_the_card_says(task):
    card = task_card(task)
    value = monai_metadata(card)
    tensors = value["network_data_format"]
    assert list(tensors["inputs"]) == list(tensors["outputs"]) == list(card.roles)
    for role in card.roles:
        assert tensors["inputs"][role]["spatial_shape"] == list(card.grid.window)
        assert tensors["outputs"][role]["num_channels"] == card.table.classes
        assert list(tensors["outputs"][role]["channel_def"].values()) == [
            "background",
            *(label.name for label in card.table),
        ]


def test_only_a_window_fixes_the_range_of_an_input():
    inputs = monai_metadata(task_card("abdomen"))["network_data_format"]["inputs"]
    assert inputs["ct"]["value_range"] == [-1.0, 1.0]
    assert inputs["mr"]["value_range"] == []
