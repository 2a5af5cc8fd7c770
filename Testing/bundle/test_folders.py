"""A model's folder is there at every moment, and a crash loses none."""

import os
import subprocess
import sys
import threading
import time

import pytest
from cmcseg.bundle import folders as module
from cmcseg.bundle.folders import recover, write_folder
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.verify import CARD, read_card, read_folder
from tiny import tiny_bundle


@pytest.fixture
def two_models(tmp_path):
    return [read_folder(tiny_bundle(tmp_path / f"m{seed}", seed=seed)) for seed in (0, 1)]


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no exchange of names there")
def test_a_model_that_is_replaced_is_never_missing(two_models, tmp_path):
    folder, missing, done = tmp_path / "model", [], threading.Event()
    write_folder(two_models[0], folder)

    def watch():
        while not done.is_set():
            missing.extend([] if (folder / CARD).exists() else [time.monotonic()])

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(1, 21):
        write_folder(two_models[number % 2], folder, replace=True)
    done.set()
    watcher.join()
    assert missing == []
    assert [p.name for p in tmp_path.glob(".model*")] == []


def test_where_names_cannot_be_exchanged_a_crash_between_two_renames_is_mended(
    two_models, tmp_path
):
    folder = tmp_path / "model"
    write_folder(two_models[0], folder)
    crash = (
        "import os, sys; from pathlib import Path; from cmcseg.bundle import folders;"
        "from cmcseg.bundle.verify import read_folder;"
        "folders._exchanged = lambda *names: False; rename = Path.rename;"
        "Path.rename = lambda one, to: rename(one, to) if to.suffix == '.old' else os._exit(9);"
        "folders.write_folder(read_folder(Path(sys.argv[1])), Path(sys.argv[2]), replace=True)"
    )
    done = subprocess.run([sys.executable, "-c", crash, tmp_path / "m1", folder], check=False)
    assert done.returncode == 9
    assert not folder.exists()
    assert load_bundle(folder).card == read_card(tmp_path / "m0")


def test_where_names_cannot_be_exchanged_a_refusal_brings_the_former_model_back(
    two_models, tmp_path, monkeypatch
):
    folder, rename = tmp_path / "model", module.Path.rename
    write_folder(two_models[0], folder)
    monkeypatch.setattr(module, "_exchanged", lambda *_: False)

    def failing(path, to):
        if to == folder and not path.name.endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(module.Path, "rename", failing)
    with pytest.raises(module.BadInput, match="cannot be written: Input/output error"):
        write_folder(two_models[1], folder, replace=True)
    assert read_folder(folder) == two_models[0]
    assert [p.name for p in tmp_path.glob(".model*")] == []


def test_what_a_crash_left_long_ago_goes_and_what_is_being_written_stays(tmp_path):
    old, young, other = (tmp_path / f".{name}" for name in ("m.0a0a0a0a", "m.0b0b0b0b", "m.note"))
    for path in (old, young, other):
        path.mkdir()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    recover(tmp_path / "m")
    assert [path.exists() for path in (old, young, other)] == [False, True, True]
