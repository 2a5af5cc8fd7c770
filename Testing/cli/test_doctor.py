"""What the doctor says of a sound and of a sick machine."""

import shutil
from collections import namedtuple

import pytest
from cmcseg.bundle import store as stores
from cmcseg.bundle.store import Store
from cmcseg.cli import main
from tiny import tiny_bundle

Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def two_models(tmp_path, monkeypatch):
    for name in ("good", "ill"):
        tiny_bundle(tmp_path / "shipped" / name)
    store = Store(shipped=tmp_path / "shipped", user=tmp_path / "user")
    monkeypatch.setattr(stores, "default_store", lambda: store)
    return tmp_path / "shipped"


@pytest.mark.usefixtures("two_models")
def test_a_sound_machine_is_told_in_full(capsys):
    main(["doctor"])
    said = capsys.readouterr().out
    for word in ("Python 3.", "torch: ", "device: ", "memory: ", "disk here: "):
        assert word in said
    assert "good: 0.1.0, verified (" in said
    assert "ill: 0.1.0, verified (" in said


def test_one_damaged_model_ends_with_1_after_all_were_looked_at(two_models, capsys):
    weights = two_models / "good" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert "ill: 0.1.0, verified (" in said.out
    assert said.err.strip() == "good: damaged; import the model again."


@pytest.mark.usefixtures("two_models")
def test_a_nearly_full_disk_is_pointed_out(capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**12, 10**12, 10**8))
    main(["doctor"])
    assert "disk here: 0.1 of 931.3 GiB free - little\n" in capsys.readouterr().out
