"""Official checkpoints become safetensors: whole, by their own names, and never run."""

import argparse
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cmcseg.bundle import convert as module
from cmcseg.bundle import legacy
from cmcseg.bundle.convert import OFFICIAL, convert, start_weights
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from cmcseg.nets.encoders.sam_med3d import SamMed3dEncoder
from cmcseg.nets.encoders.universal_unet import UniversalUnetEncoder
from cmcseg.nets.encoders.vit3d import VitSize
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import tiny_card

VIT = VitSize(patch=4, grid=4, width=12, depth=1, heads=2, window=3, everywhere=(), out=6)
SAM = replace(OFFICIAL["sam_med3d"], widths=(4, 8), strides=((2, 2, 2),))
UNET = replace(OFFICIAL["universal_unet"], widths=(4, 8), strides=((2, 2, 2),))


class TinySam(SamMed3dEncoder):
    """The official encoder in every respect but its size."""

    def __init__(self, spec, modalities):
        super().__init__(spec, modalities, VIT)


@pytest.fixture(autouse=True)
def small_encoders(monkeypatch):
    monkeypatch.setitem(module.ENCODERS, "sam_med3d", TinySam)
    monkeypatch.setitem(OFFICIAL, "sam_med3d", SAM)
    monkeypatch.setitem(OFFICIAL, "universal_unet", UNET)


@pytest.fixture
def sam_weights():
    torch.manual_seed(0)
    return {f"image_encoder.{k}": v for k, v in TinySam(SAM, 1).vit.state_dict().items()}


@pytest.fixture
def a_sam_checkpoint(tmp_path, sam_weights):
    """With all that the official training script leaves in it."""
    path = tmp_path / "sam_med3d_turbo.pth"
    torch.save(
        {
            "epoch": 800,
            "model_state_dict": {**sam_weights, "mask_decoder.iou_token.weight": torch.ones(1, 6)},
            "optimizer_state_dict": {"state": {0: {"step": 7}}},
            "losses": [0.5, np.float64(0.4)],
            "best_dice": np.float64(0.8),
            "args": argparse.Namespace(lr=8e-4, device=torch.device("cpu")),
            "used_datas": ["liver"],
        },
        path,
    )
    return path


def refusal(*args):
    with pytest.raises(BadInput) as caught:
        convert(*args)
    return str(caught.value)


def test_sam_med3d_keeps_its_names_and_its_numbers_to_the_bit(
    a_sam_checkpoint, sam_weights, tmp_path
):
    out = tmp_path / "sam.safetensors"
    assert convert(a_sam_checkpoint, out, "sam_med3d") == len(sam_weights)
    found = load_file(out)
    assert set(found) == set(sam_weights)
    assert all(torch.equal(found[name], sam_weights[name]) for name in found)
    with safe_open(out, "pt") as handle:
        assert handle.metadata() == {"encoder": "sam_med3d"}


def test_the_universal_model_sheds_its_wrapper_and_its_decoder(tmp_path):
    ours = UniversalUnetEncoder(UNET, 1)
    theirs = {
        f"module.backbone.{name}": torch.randn_like(ours.state_dict()[our])
        for our, name in ours.official_names().items()
    }
    beside = {
        "module.backbone.down_tr64.ops.0.conv1.bias": torch.zeros(2),
        "module.backbone.down_tr64.ops.0.bn1.running_mean": torch.zeros(2),
        "module.backbone.up_tr64.up_conv.weight": torch.zeros(2),
        "module.organ_embedding": torch.zeros(2),
    }
    torch.save({"net": {**theirs, **beside}}, tmp_path / "unet.pth")
    convert(tmp_path / "unet.pth", tmp_path / "unet.safetensors", "universal_unet")
    assert set(load_file(tmp_path / "unet.safetensors")) == set(ours.official_names().values())


def test_a_network_starts_from_converted_weights(a_sam_checkpoint, sam_weights, tmp_path):
    convert(a_sam_checkpoint, tmp_path / "sam.safetensors", "sam_med3d")
    card = tiny_card()
    network = build_network(
        replace(card, network=replace(SAM, encoder="sam_med3d", shared_kernels=False))
    )
    before = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(start_weights(network, tmp_path / "sam.safetensors"))
    changed = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert all(k.startswith(("encoders.0.vit.", "encoders.1.vit.")) for k in changed)
    for m in (0, 1):
        found = network.state_dict()[f"encoders.{m}.vit.blocks.0.attn.qkv.weight"]
        assert torch.equal(found, sam_weights["image_encoder.blocks.0.attn.qkv.weight"])


def test_weights_of_another_encoder_are_refused(sam_weights, tmp_path):
    path = tmp_path / "sam.safetensors"
    save_file(sam_weights, path, metadata={"encoder": "sam_med3d"})
    with pytest.raises(BadInput) as caught:
        start_weights(build_network(tiny_card()), path)
    assert str(caught.value) == (
        f"{path} holds weights of sam_med3d, which this network does not use."
    )


def test_a_checkpoint_with_a_program_in_it_is_refused_and_the_program_never_run(tmp_path):
    class Program:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    source = tmp_path / "evil.pth"
    torch.save({"model_state_dict": {"a": torch.zeros(1)}, "args": Program()}, source)
    assert refusal(source, tmp_path / "out.safetensors", "sam_med3d") == (
        f"{source} cannot be converted: it holds a program (posix.mkdir) besides numbers, which "
        "was not run."
    )
    assert not (tmp_path / "it ran").exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_a_partial_checkpoint_is_refused_and_nothing_written(sam_weights, tmp_path):
    del sam_weights["image_encoder.neck.0.weight"]
    torch.save({"model_state_dict": sam_weights}, tmp_path / "half.pth")
    assert refusal(tmp_path / "half.pth", tmp_path / "out.safetensors", "sam_med3d") == (
        f"{tmp_path / 'half.pth'} cannot be converted. The checkpoint does not fit the encoder: "
        "image_encoder.neck.0.weight is missing."
    )
    assert [p.name for p in tmp_path.iterdir()] == ["half.pth"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no checkpoint at all", "it is not a checkpoint of PyTorch"),
        (b"", "it is damaged or not a checkpoint of PyTorch (EOFError)"),
        (b"PK\x03\x04 cut off", "it is damaged or not a checkpoint of PyTorch (RuntimeError)"),
    ],
)
def test_the_reader_tells_what_is_no_checkpoint(tmp_path, content, words):
    (tmp_path / "odd.pth").write_bytes(content)
    with pytest.raises(SystemExit) as caught:
        legacy.main(tmp_path / "odd.pth", tmp_path / "out.safetensors")
    assert str(caught.value) == words


def test_the_reader_tells_that_there_are_no_tensors(tmp_path):
    torch.save([1, 2, 3], tmp_path / "list.pth")
    with pytest.raises(SystemExit) as caught:
        legacy.main(tmp_path / "list.pth", tmp_path / "out.safetensors")
    assert str(caught.value) == "it holds no named tensors"


def test_an_old_torch_does_not_read_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(SystemExit) as caught:
        legacy.main(tmp_path / "any.pth", tmp_path / "out.safetensors")
    assert str(caught.value) == (
        "torch 2.9.1+cpu does not read such files safely; 2.10 or newer does"
    )


def test_a_file_that_is_there_is_not_overwritten(a_sam_checkpoint, tmp_path):
    out = tmp_path / "mine.safetensors"
    out.write_text("precious")
    assert refusal(a_sam_checkpoint, out, "sam_med3d") == (
        f"{out} is there already; give another name."
    )
    assert out.read_text() == "precious"


def test_an_unknown_encoder_and_a_missing_file_are_told(tmp_path):
    assert refusal(tmp_path, tmp_path / "out", "mamba") == (
        "The encoder 'mamba' is not one of sam_med3d, universal_unet."
    )
    assert refusal(tmp_path / "no.pth", tmp_path / "out", "sam_med3d") == (
        f"{tmp_path / 'no.pth'} is not a file."
    )


def test_the_command_says_what_is_wrong(tmp_path):
    package = Path(module.__file__).parents[2]
    done = subprocess.run(
        f"{sys.executable} -m cmcseg models convert no.pth out.st --encoder sam_med3d".split(),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "no.pth is not a file."


def test_a_folder_full_of_traps_adds_nothing_to_the_reader(a_sam_checkpoint, tmp_path, monkeypatch):
    for name in ("json", "torch", "numpy", "safetensors", "runpy", "cmcseg"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'it ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    convert(Path(a_sam_checkpoint.name), Path("sam.safetensors"), "sam_med3d")
    assert not (tmp_path / "it ran").exists()
    assert (tmp_path / "sam.safetensors").exists()


def test_the_reader_has_no_network_and_starts_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "isolated", lambda python, _: [*python, "-c", GO_OUT])
    (tmp_path / "any.pth").write_bytes(b"-")
    said = refusal(tmp_path / "any.pth", tmp_path / "out.safetensors", "sam_med3d")
    assert said.endswith("cannot be converted: PermissionError PermissionError.")


GO_OUT = """
import socket, subprocess, sys
from cmcseg.core.sandbox import confine
confine(int(sys.argv[3]), int(sys.argv[4]))
said = []
for call in (socket.socket, lambda: subprocess.run(["true"])):
    try:
        call()
    except Exception as error:
        said.append(type(error).__name__)
sys.exit(" ".join(said))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is the kernel's")
def test_a_checkpoint_that_unfolds_to_far_more_than_it_is_ends_its_reader_only(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "MEMORY_BESIDE", 320 << 20)
    whole, bomb = tmp_path / "whole.pth", tmp_path / "bomb.pth"
    torch.save({"model_state_dict": {"a": torch.zeros(256 << 18)}}, whole)  # 256 MiB of zeros
    with (
        zipfile.ZipFile(whole) as old,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert bomb.stat().st_size < 5 << 20
    assert refusal(bomb, tmp_path / "out.safetensors", "sam_med3d") == (
        f"{bomb} cannot be converted: {legacy.TOO_LARGE}."
    )


def test_a_reader_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 1)
    monkeypatch.setattr(
        module, "isolated", lambda python, _: [*python, "-c", "import time; time.sleep(60)"]
    )
    (tmp_path / "any.pth").write_bytes(b"-")
    assert refusal(tmp_path / "any.pth", tmp_path / "out.safetensors", "sam_med3d") == (
        f"{tmp_path / 'any.pth'} cannot be converted: it was not read within 1 seconds."
    )
