"""When memory runs out, the work goes on more modestly, and says so."""

import numpy as np
import pytest
import torch
from cmcseg.bundle.load import Bundle, load_bundle
from cmcseg.core.errors import BadInput, Cancelled
from cmcseg.core.progress import Progress
from cmcseg.nets.sliding_window import sliding_window
from cmcseg.predict import oom_fallback
from cmcseg.predict.oom_fallback import Found, probabilities, ran_out
from tiny import tiny_bundle, tiny_card

CPU, GPU, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
CUDA_WORDS = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB"
MPS_WORDS = "MPS backend out of memory (MPS allocated: 5.50 GB, max allowed: 6.80 GB)."
WHOLE, HALF = (16, 16, 16), (8, 8, 8)


class Movable:
    """A network that can be sent to a machine that is not there."""

    def __init__(self):
        self.device = None

    def to(self, device):
        self.device = device
        return self


class Machine:
    """Plays ``sliding_window``: fails as often as told, and writes down how it was asked."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.asked = []

    def __call__(self, network, images, _card, _trust, device, *, report, **how):
        assert network.device == device
        self.asked.append((device.type, how["stitch_on"].type, how["window"]))
        report(ladder_progress(1))
        if self.failures:
            raise self.failures.pop(0)
        report(ladder_progress(2))
        return {m: np.full((5, 2, 2, 2), m, np.float32) for m in images}


def ladder_progress(done):
    return Progress(stage="segmenting", done=done, total=2)


def run(machine, monkeypatch, device, report=lambda _: None, **how):
    monkeypatch.setattr(oom_fallback, "sliding_window", machine)
    bundle = Bundle(card=tiny_card(), network=Movable(), folder=None)
    images = {role: np.zeros((2, 2, 2), np.float32) for role in ("ct", "mr")}
    seen = {role: np.ones((2, 2, 2), bool) for role in images}
    return probabilities(bundle, images, seen, 1.0, device, 0.25, report, **how)


def short(words=CUDA_WORDS):
    return torch.OutOfMemoryError(words)


def test_with_enough_memory_there_is_nothing_to_say(monkeypatch):
    machine = Machine()
    found = run(machine, monkeypatch, GPU)
    assert machine.asked == [("cuda", "cuda", WHOLE)]
    assert (found.device, found.notes) == (GPU, ())
    assert found.scores["mr"].max() == 1  # the network's index, back under the role


@pytest.mark.parametrize(
    ("failures", "asked", "device", "note"),
    [
        (
            1,
            ("cuda", "cuda", HALF),
            GPU,
            "The memory of cuda was too small; smaller windows did the work instead.",
        ),
        (
            2,
            ("cuda", "cpu", HALF),
            GPU,
            "The memory of cuda was too small; smaller windows, stitched on the CPU, did the work "
            "instead.",
        ),
        (
            3,
            ("cpu", "cpu", WHOLE),
            CPU,
            "The memory of cuda was too small; the CPU did the work instead.",
        ),
        (
            4,
            ("cpu", "cpu", HALF),
            CPU,
            "The memory of cuda was too small; the CPU with smaller windows did the work instead.",
        ),
    ],
)
def test_each_rung_is_more_modest_and_named(monkeypatch, failures, asked, device, note):
    machine = Machine(*(short() for _ in range(failures)))
    found = run(machine, monkeypatch, GPU)
    assert len(machine.asked) == failures + 1
    assert machine.asked[-1] == asked
    assert (found.device, found.notes) == (device, (note,))


def test_the_cpu_alone_tries_smaller_windows(monkeypatch):
    machine = Machine(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    found = run(machine, monkeypatch, CPU)
    assert machine.asked == [("cpu", "cpu", WHOLE), ("cpu", "cpu", HALF)]
    assert found.notes == (
        "The memory of cpu was too small; smaller windows did the work instead.",
    )


@pytest.mark.parametrize(("device", "fallbacks"), [(GPU, 5), (CPU, 2)])
def test_when_nothing_suffices_one_sentence_says_so(monkeypatch, device, fallbacks):
    machine = Machine(*(short() for _ in range(9)))
    with pytest.raises(BadInput) as refusal:
        run(machine, monkeypatch, device)
    assert str(refusal.value) == (
        "Even the CPU has too little memory for these scans; close other programs."
    )
    assert len(machine.asked) == fallbacks


@pytest.mark.parametrize(
    ("device", "advice"),
    [
        (GPU, "allow smaller steps, choose the cpu, or close other programs."),
        (CPU, "allow smaller steps, or close other programs."),
    ],
)
def test_who_wants_it_to_stop_is_told_at_once(monkeypatch, device, advice):
    machine = Machine(short())
    with pytest.raises(BadInput) as refusal:
        run(machine, monkeypatch, device, give_in=False)
    assert str(refusal.value) == (
        f"The memory of {device} is too small for these scans, and it was asked to stop then; "
        f"{advice}"
    )
    assert len(machine.asked) == 1


@pytest.mark.parametrize(
    "error",
    [
        short(),
        RuntimeError(CUDA_WORDS),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError(MPS_WORDS),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to"),
        MemoryError(),
    ],
)
def test_every_wording_of_too_little_memory_is_understood(error):
    assert ran_out(error)


def test_what_torch_says_today_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert ran_out(caught.value)


def test_on_apple_silicon_the_ladder_is_the_same(monkeypatch):
    freed = []
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: freed.append(True))
    machine = Machine(RuntimeError(MPS_WORDS), RuntimeError(MPS_WORDS))
    found = run(machine, monkeypatch, MPS)
    assert machine.asked[-1] == ("mps", "cpu", HALF)
    assert found.notes == (
        "The memory of mps was too small; smaller windows, stitched on the CPU, did the work "
        "instead.",
    )
    assert freed == [True, True]


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes cannot be multiplied"), Cancelled("Stop."), ValueError("no")]
)
def test_other_errors_are_not_swallowed(monkeypatch, error):
    machine = Machine(error)
    with pytest.raises(type(error)) as caught:
        run(machine, monkeypatch, GPU)
    assert caught.value is error
    assert len(machine.asked) == 1


def test_progress_says_that_it_starts_again_and_why(monkeypatch):
    heard = []
    run(Machine(short(), short(), short()), monkeypatch, GPU, heard.append)
    assert [(p.stage, p.done) for p in heard] == [
        ("segmenting", 1),
        ("segmenting again: memory was short, now smaller windows", 1),
        ("segmenting again: memory was short, now smaller windows, stitched on the CPU", 1),
        ("segmenting again: memory was short, now the CPU", 1),
        ("segmenting again: memory was short, now the CPU", 2),
    ]


def test_memory_is_freed_after_the_failed_call_let_go_of_it(monkeypatch):
    alive, seen = [], []

    class Tensor:
        def __init__(self):
            alive.append(self)

        def __del__(self):
            seen.append("let go")

    def hungry(*_, **__):
        held = Tensor()  # noqa: F841
        alive.clear()
        raise short()

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: seen.append("freed"))
    with pytest.raises(BadInput):
        run(hungry, monkeypatch, GPU)
    assert seen == 3 * ["let go", "freed"] + 2 * ["let go"]


def test_smaller_windows_give_what_they_would_have_given_at_once(tmp_path):
    """A real network that cannot bear the card's window."""
    bundle = load_bundle(tiny_bundle(tmp_path / "tiny"))
    images = {"ct": np.random.default_rng(0).normal(size=(24, 16, 16)).astype(np.float32)}
    seen = {"ct": np.ones((24, 16, 16), bool)}
    forward = bundle.network.forward

    def narrow(windows, trust_B):
        if windows[0].shape[-1] > 12:  # those on what was found are up to 1.5 times as long
            raise short()
        return forward(windows, trust_B)

    bundle.network.forward = narrow
    found = probabilities(bundle, images, seen, 0.0, CPU, 0.25)
    assert isinstance(found, Found)
    expected = sliding_window(
        bundle.network,
        {0: images["ct"]},
        bundle.card,
        0.0,
        CPU,
        seen={0: seen["ct"]},
        window=HALF,
    )
    np.testing.assert_array_equal(found.scores["ct"], expected[0])
    np.testing.assert_allclose(found.scores["ct"].sum(axis=0), 1, atol=1e-5)
