"""A loaded model is the saved one, and nothing that does not fit is loaded."""

import json

import pytest
import torch
from cmcseg.bundle.load import load_bundle, network_from
from cmcseg.bundle.verify import CARD, SUMS, WEIGHTS, read_folder, sha256, sums
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from safetensors.torch import save
from tiny import tiny_bundle, tiny_card, tiny_state


@pytest.fixture
def a_card():
    return tiny_card()


@pytest.fixture
def a_state(a_card):
    return tiny_state(a_card)


@pytest.fixture
def a_model(tmp_path):
    return tiny_bundle(tmp_path / "model")


def refusal(run, *args) -> str:
    with pytest.raises(BadInput) as caught:
        run(*args)
    return str(caught.value)


def test_the_loaded_network_says_what_the_saved_one_said(a_model, a_card, a_state):
    bundle = load_bundle(a_model)
    twin = build_network(a_card)
    twin.load_state_dict({key: value.half().float() for key, value in a_state.items()})
    images = {m: torch.randn(1, 1, 16, 16, 16) for m in (0, 1)}
    with torch.inference_mode():
        ours = bundle.network(images, torch.ones(1))
        theirs = twin.eval()(images, torch.ones(1))
    for m in (0, 1):
        assert torch.equal(ours[m].logits_BKDHW, theirs[m].logits_BKDHW)


def test_a_loaded_network_is_ready_to_segment_and_to_be_trained_on(a_model):
    bundle = load_bundle(str(a_model), device=torch.device("cpu"))
    assert not bundle.network.training
    assert bundle.folder == a_model
    for weight in bundle.network.parameters():
        assert weight.dtype == torch.float32
        assert weight.device.type == "cpu"
        assert weight.requires_grad


def test_two_loads_do_not_share_weights(a_model):
    one, two = load_bundle(a_model).network, load_bundle(a_model).network
    before = [p.clone() for p in two.parameters()]
    with torch.no_grad():
        for weight in one.parameters():
            weight.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(before, two.parameters(), strict=True))


def test_tampered_weights_are_refused_at_every_load(a_model):
    load_bundle(a_model)
    content = bytearray((a_model / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (a_model / WEIGHTS).write_bytes(content)
    assert refusal(load_bundle, a_model) == (
        f"{WEIGHTS} in {a_model} was altered or damaged (its SHA-256 is not the one in "
        "SHA256SUMS); get the model again."
    )


def test_a_device_that_does_not_exist_is_refused(a_model):
    assert refusal(load_bundle, a_model, "gpu") == (
        "The device 'gpu' is not one of auto, cpu, cuda, cuda:N, mps."
    )


def test_a_folder_that_is_not_there_is_no_model(tmp_path):
    assert refusal(load_bundle, tmp_path / "x") == (
        f"{tmp_path / 'x'} is no model: it has no {WEIGHTS}."
    )


def test_a_missing_weight_is_named(a_card, a_state):
    del a_state["fusion.null_MC"]
    assert refusal(network_from, a_card, save(a_state), "M") == (
        "The weights in M do not fit the network of its card: fusion.null_MC is missing."
    )


def test_an_extra_weight_is_named(a_card, a_state):
    a_state["extra"] = torch.zeros(1)
    assert refusal(network_from, a_card, save(a_state), "M") == (
        "The weights in M do not fit the network of its card: extra is not expected."
    )


def test_a_weight_of_another_shape_is_named(a_card, a_state):
    a_state["fusion.null_MC"] = torch.zeros(3, 8)
    assert refusal(network_from, a_card, save(a_state), "M") == (
        "The weights in M do not fit the network of its card: fusion.null_MC has shape (3, 8) "
        "instead of (2, 8)."
    )


def test_a_weight_of_another_kind_is_named(a_card, a_state):
    a_state["fusion.null_MC"] = torch.zeros(2, 8, dtype=torch.int32)
    assert refusal(network_from, a_card, save(a_state), "M") == (
        "The weights in M do not fit the network of its card: fusion.null_MC holds torch.int32."
    )


def test_only_the_first_of_many_misfits_is_spelled_out(a_card, a_state):
    assert refusal(network_from, tiny_card("heart"), save(a_state), "M").startswith(
        "The weights in M do not fit the network of its card: "
    )
    assert refusal(network_from, a_card, save({}), "M").endswith(f"(and {len(a_state) - 1} more).")


def test_weights_that_are_not_finite_are_refused(a_card, a_state):
    a_state["fusion.null_MC"] = torch.full((2, 8), float("nan"))
    assert refusal(network_from, a_card, save(a_state), "M") == (
        "The weights fusion.null_MC in M are not finite; get the model again."
    )


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 100])
def test_weights_that_are_no_safetensors_are_refused(a_card, content):
    assert refusal(network_from, a_card, content, "M").startswith(f"{WEIGHTS} in M cannot be read:")


NOT_BUILT = "Widths, patch or strides of the network cannot be built."


def rewrite_card(model, change) -> None:
    value = json.loads((model / CARD).read_text())
    change(value)
    value["sha256"] = sha256((model / WEIGHTS).read_bytes())
    (model / CARD).write_text(json.dumps(value))
    (model / SUMS).write_bytes(sums(read_folder(model)))


def test_an_unknown_encoder_is_told(a_model):
    rewrite_card(a_model, lambda card: card["network"].update(encoder="mamba"))
    assert refusal(load_bundle, a_model) == (
        f"The network of {a_model} cannot be built: The encoder 'mamba' is not one of residual, "
        "sam_med3d, universal_unet."
    )


def test_a_card_that_asks_for_a_giant_takes_no_memory(a_model):
    rewrite_card(a_model, lambda card: card["network"].update(widths=[100_000, 200_000]))
    assert refusal(load_bundle, a_model).endswith(NOT_BUILT)


@pytest.mark.parametrize("widths", [[-4, 8], ["4", "8"], [4, 0.5], [2**62, 2**62]])
def test_widths_that_make_no_sense_are_refused(a_model, widths):
    rewrite_card(a_model, lambda card: card["network"].update(widths=widths))
    assert refusal(load_bundle, a_model).endswith(NOT_BUILT)
