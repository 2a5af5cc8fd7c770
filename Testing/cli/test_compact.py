"""``cmcseg models compact``: a smaller model that says where it comes from."""

from dataclasses import replace

import pytest
import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.verify import WEIGHTS
from cmcseg.cli import main
from cmcseg.core.card import NetworkSpec
from tiny import tiny_card, tiny_state


@pytest.fixture
def a_model(tmp_path):
    """A model whose kernels are large enough to be rounded, and which was measured."""
    network = NetworkSpec(widths=(16, 24), patch=(2, 2, 2), strides=((2, 2, 2),))
    card = replace(tiny_card(), network=network, measured={"ct liver": 0.5})
    save_bundle(tiny_state(card), card, tmp_path / "model")
    return tmp_path / "model"


def test_it_is_smaller_nearly_the_same_and_names_its_parent(a_model, tmp_path, capsys):
    main(["models", "compact", str(a_model), str(tmp_path / "small"), "--as", "small"])
    assert "Measure it with 'cmcseg evaluate'" in " ".join(capsys.readouterr().out.split())
    old, new = load_bundle(a_model), load_bundle(tmp_path / "small")
    sizes = [(b.folder / WEIGHTS).stat().st_size for b in (old, new)]
    assert sizes[1] < 0.75 * sizes[0]
    assert new.card.parent == old.card.sha256
    assert (new.card.name, new.card.version) == ("small", f"{old.card.version}+4bits")
    store = Store(shipped=tmp_path / "none", user=tmp_path / "user")
    assert store.import_(tmp_path / "small").name == "small"
    assert new.card.history[-1]["changed"] == "The weights were rounded to 4 bits."
    assert new.card.measured == {}  # those numbers were another model's
    before, after = (b.network.state_dict() for b in (old, new))
    gaps = torch.cat([(after[key] - before[key]).flatten() for key in before])
    whole = torch.cat([before[key].flatten() for key in before])
    assert 0 < gaps.norm() < 0.1 * whole.norm()


def test_a_folder_that_holds_something_is_left_alone(a_model, tmp_path, capsys):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main(["models", "compact", str(a_model), str(tmp_path / "small")])
    assert stop.value.code == 2
    assert str(tmp_path / "small") in capsys.readouterr().err.replace("\n", "")
    assert [p.name for p in (tmp_path / "small").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("bits", ["2", "9", "five"])
def test_other_numbers_of_bits_are_refused(a_model, tmp_path, bits):
    with pytest.raises(SystemExit) as stop:
        main(["models", "compact", str(a_model), str(tmp_path / "small"), "--bits", bits])
    assert stop.value.code == 2
    assert not (tmp_path / "small").exists()
