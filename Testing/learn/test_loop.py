"""The loop: a run that was interrupted ends as one that was not."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.settings import TrainSettings
from cmcseg.learn import muon
from cmcseg.learn.loop import fit
from cmcseg.learn.recipes import RECIPES
from tiny import tiny_cache

SETTINGS = TrainSettings(steps=6, check_every=2, device="cpu", warmup=2)


@pytest.fixture(scope="module")
def a_cache(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_cache(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def unbroken(a_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return fit(a_cache, SETTINGS, folder, validate_every=0), folder


class PlugPulledError(Exception):
    """Somebody pulled the plug."""


def interrupted(a_cache, folder, after, settings=SETTINGS):
    """Run until the plug is pulled after some steps."""

    def report(progress):
        if progress.fraction * SETTINGS.steps >= after - 0.5:
            raise PlugPulledError

    with pytest.raises(PlugPulledError):
        fit(a_cache, settings, folder, validate_every=0, report=report)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_run_that_was_stopped_ends_with_the_same_weights_and_losses(
    a_cache, unbroken, tmp_path, after
):
    interrupted(a_cache, tmp_path, after)
    state = fit(a_cache, SETTINGS, tmp_path, validate_every=0)
    for key, value in unbroken[0].network.state_dict().items():
        assert torch.equal(state.network.state_dict()[key], value), key
    for key, value in unbroken[0].average.items():
        assert torch.equal(state.average[key], value), key
    assert (tmp_path / "losses.csv").read_text() == (unbroken[1] / "losses.csv").read_text()


def test_so_does_one_whose_kernels_muon_moves(a_cache, unbroken, tmp_path, monkeypatch):
    monkeypatch.setattr(muon, "NARROW", 4)  # or the tiny network would have none
    settings = replace(SETTINGS, optimizer="muon")
    whole = fit(a_cache, settings, tmp_path / "whole", validate_every=0)
    interrupted(a_cache, tmp_path / "broken", 3, settings)
    state = fit(a_cache, settings, tmp_path / "broken", validate_every=0)
    key = "encoders.0.levels.1.second.weight"
    moments = [s.optimizer.state[s.network.get_parameter(key)] for s in (whole, state)]
    assert torch.equal(moments[0]["momentum"], moments[1]["momentum"])
    assert not torch.equal(whole.average[key], unbroken[0].average[key])
    for name, value in whole.network.state_dict().items():
        assert torch.equal(state.network.state_dict()[name], value), name


def test_a_killed_process_leaves_a_run_that_goes_on(a_cache, unbroken, tmp_path):
    words = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(1)\n"
        "from cmcseg.core.settings import TrainSettings\n"
        "from cmcseg.data.cache import open_cache\n"
        "from cmcseg.learn.loop import fit\n"
        "settings = TrainSettings(steps=6, check_every=2, device='cpu', warmup=2)\n"
        "tell = lambda p: print('step', flush=True)\n"
        "fit(open_cache(Path(sys.argv[1])), settings, Path(sys.argv[2]), validate_every=0,"
        " report=tell)\n"
    )
    command = [sys.executable, "-c", words, str(a_cache.folder), str(tmp_path)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(4):
        program.stdout.readline()
    program.kill()
    program.communicate()
    fit(a_cache, SETTINGS, tmp_path, validate_every=0)
    assert (tmp_path / "losses.csv").read_text() == (unbroken[1] / "losses.csv").read_text()


def test_a_budget_of_time_ends_a_run_early_and_the_rate_falls_to_nothing(a_cache, tmp_path):
    settings = replace(SETTINGS, steps=100_000, minutes=0.03, warmup=1)
    began = time.monotonic()
    state = fit(a_cache, settings, tmp_path, validate_every=0)
    assert time.monotonic() - began < 30
    assert 0 < state.step < 100_000
    assert state.spent >= 1.8
    assert state.optimizer.param_groups[0]["lr"] < settings.rate
    assert fit(a_cache, settings, tmp_path, validate_every=0).step == state.step


def test_a_folder_with_another_run_is_refused(a_cache, unbroken):
    with pytest.raises(BadInput, match=r"holds a run with another seed \(0, now 5\)"):
        fit(a_cache, replace(SETTINGS, seed=5), unbroken[1])


def test_a_loss_that_is_no_number_names_the_case_and_keeps_the_checkpoint(
    a_cache, tmp_path, monkeypatch
):
    real = RECIPES["supervised"]

    def spoiled(step):
        losses = real(step)
        spoiled.calls += 1
        return {k: v * float("nan") for k, v in losses.items()} if spoiled.calls == 4 else losses

    spoiled.calls = 0
    monkeypatch.setitem(RECIPES, "supervised", spoiled)
    with pytest.raises(CMCSegError, match=r"no longer a number at step 4 \(case\d ct, case\d mr\)"):
        fit(a_cache, SETTINGS, tmp_path, validate_every=0)
    monkeypatch.undo()
    assert fit(a_cache, SETTINGS, tmp_path, validate_every=0).step == 6


def test_training_needs_no_simpleitk_once_the_cache_is_made(a_cache, tmp_path):
    words = (
        "import sys; sys.modules['SimpleITK'] = None\n"
        "from pathlib import Path\n"
        "from cmcseg.core.settings import TrainSettings\n"
        "from cmcseg.data.cache import open_cache\n"
        "from cmcseg.learn.loop import fit\n"
        "settings = TrainSettings(steps=1, device='cpu')\n"
        "print(fit(open_cache(Path(sys.argv[1])), settings, Path(sys.argv[2])).step)\n"
    )
    command = [sys.executable, "-c", words, str(a_cache.folder), str(Path(tmp_path) / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1", done.stderr


def test_a_gradient_that_is_no_number_never_reaches_the_weights(a_cache, tmp_path, monkeypatch):
    """The loss is finite, its slope is not: the square root of nothing."""
    real = RECIPES["supervised"]

    def steep(step):
        losses = real(step)
        first = next(iter(step.network.parameters()))
        return {**losses, "steep": ((first * 0).sum()).abs().sqrt()}

    monkeypatch.setitem(RECIPES, "supervised", steep)
    with pytest.raises(CMCSegError, match="no longer a number at step 1"):
        fit(a_cache, replace(SETTINGS, check_every=1), tmp_path / "run", validate_every=0)
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_weights_of_another_network_are_refused(a_cache, tmp_path):
    with pytest.raises(BadInput, match="belong to another network than the cache's card"):
        fit(a_cache, SETTINGS, tmp_path, initial={"strange": torch.zeros(1)})


def test_a_checkpoint_of_another_network_is_refused(a_cache, unbroken):
    card = a_cache.card
    wider = replace(card, network=replace(card.network, widths=(4, 12)))
    with pytest.raises(BadInput, match="holds a run with another network"):
        fit(replace(a_cache, card=wider), SETTINGS, unbroken[1])


def test_a_full_disk_is_told_and_the_checkpoint_stays(a_cache, tmp_path, monkeypatch):
    interrupted(a_cache, tmp_path, 3)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def full(self, *words, **more):
        if self.name == "losses.csv" and "a" in words:
            raise OSError(28, "No space left on device")
        return opened(self, *words, **more)

    opened = Path.open
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(BadInput, match=r"No space left on device\. The last checkpoint is kept"):
        fit(a_cache, SETTINGS, tmp_path, validate_every=0)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
