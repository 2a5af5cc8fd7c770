"""Which device, in exact words; the machine's own devices are played."""

import numpy as np
import pytest
import torch
from cmcseg.core.errors import BadInput
from cmcseg.nets import device as module
from cmcseg.nets.build import build_network
from cmcseg.nets.device import computes_bfloat16, inference_type, pick_device, training_type
from cmcseg.nets.sliding_window import sliding_window
from tiny import tiny_card


@pytest.fixture
def a_machine(monkeypatch):
    def play(*, cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch, "__version__", "9.9.9")

    return play


def refusal(name):
    with pytest.raises(BadInput) as caught:
        pick_device(name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(2, False, "cuda"), (1, True, "cuda"), (0, True, "mps"), (0, False, "cpu")],
)
def test_auto_takes_the_fastest_there_is(a_machine, cuda, mps, expected):
    a_machine(cuda=cuda, mps=mps)
    assert pick_device("auto") == torch.device(expected)


def test_a_device_that_is_there_is_taken_as_named(a_machine):
    a_machine(cuda=2, mps=True)
    for name in ("cpu", "mps", "cuda", "cuda:0", "cuda:1"):
        assert str(pick_device(name)) == name


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:-1", "CPU", "", "cpu:0", "cuda:1 "])
def test_an_unknown_name_is_told_the_known_ones(name):
    assert refusal(name) == f"The device {name!r} is not one of auto, cpu, cuda, cuda:N, mps."


def test_a_gpu_too_many_is_told_how_many_there_are(a_machine):
    a_machine(cuda=2)
    assert refusal("cuda:2") == (
        "The device cuda:2 is not there: torch 9.9.9 sees 2 CUDA devices. Use --device auto or cpu."
    )


def test_no_gpu_at_all_is_told(a_machine):
    a_machine()
    assert refusal("cuda") == (
        "The device cuda is not there: torch 9.9.9 sees 0 CUDA devices. Use --device auto or cpu."
    )


def test_no_apple_gpu_is_told(a_machine):
    a_machine(cuda=1)
    assert refusal("mps") == "The device mps is not there. Use --device auto or cpu."


@pytest.mark.parametrize("names", [(), ("_is_avx512_bf16_supported",), ("_is_amx_tile_supported",)])
def test_bfloat16_is_used_where_the_processor_says_that_it_computes_with_it(monkeypatch, names):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda found=name in names: found, raising=False)
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    expected = torch.bfloat16 if names else torch.float32
    assert inference_type(cpu) == training_type(cpu) == expected
    assert (inference_type(cuda), training_type(cuda)) == (torch.float16, torch.bfloat16)
    assert training_type(torch.device("mps")) == torch.float32


def test_a_torch_that_cannot_ask_the_processor_uses_single_precision(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not computes_bfloat16()


def test_bfloat16_says_nearly_the_same_as_single_precision(monkeypatch):
    """Imitated where the processor does not have it: slower, the same numbers."""
    card, cpu = tiny_card(), torch.device("cpu")
    torch.manual_seed(0)
    network = build_network(card).eval()
    image = {0: np.random.default_rng(0).normal(size=(24, 16, 16)).astype(np.float32)}
    found = {}
    for has in (False, True):
        monkeypatch.setattr(module, "computes_bfloat16", lambda has=has: has)
        found[has] = sliding_window(network, image, card, 0.0, cpu)[0]
    assert found[True].dtype == np.float32
    apart = np.abs(found[True] - found[False])
    assert 0 < apart.max() < 0.05
    assert apart.mean() < 0.005
