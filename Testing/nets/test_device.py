"""Which device, in exact words; the machine's own devices are played."""

import pytest
import torch
from cmcseg.core.errors import BadInput
from cmcseg.nets.device import pick_device


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
