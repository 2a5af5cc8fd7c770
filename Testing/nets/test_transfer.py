"""From one model to the start of another: what fits is taken, and what that was is told."""

from dataclasses import replace

import pytest
import torch
from cmcseg.core.card import CleaningRule
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import Label, LabelTable
from cmcseg.nets.build import build_network
from cmcseg.nets.transfer import transfer
from tiny import tiny_card, tiny_state

OLD = replace(tiny_card(), cleaning=CleaningRule())
WEIGHTS = tiny_state(OLD, seed=1)
WEIGHTS["fusion.null_MC"].normal_(generator=torch.Generator().manual_seed(0))
WEIGHTS["fusion.mix.2.weight"].normal_(generator=torch.Generator().manual_seed(1))


def begun(new, weights=WEIGHTS, old=OLD):
    return transfer(weights, old, new, tiny_state(new, seed=2))


def table(*names):
    return LabelTable(
        labels=tuple(Label(value=v, name=name, color="#123456") for v, name in enumerate(names, 1))
    )


def said(card, state, images):
    network = build_network(card).eval()
    network.load_state_dict(state)
    with torch.inference_mode():
        return network(images, torch.zeros(1))[0].logits_BKDHW


def test_the_same_make_takes_all():
    taken = begun(OLD)
    assert taken.share == 1
    assert all(torch.equal(taken.state[key], value) for key, value in WEIGHTS.items())


def test_one_role_and_two_organs_of_four_say_what_the_whole_model_says_of_them():
    new = replace(OLD, inputs=OLD.inputs[:1], table=table("spleen", "liver"))
    taken = begun(new)
    image = {0: torch.randn(1, 1, 16, 16, 16)}
    whole = said(OLD, WEIGHTS, image)
    assert torch.allclose(said(new, taken.state, image), whole[:, [0, 4, 1]], atol=1e-4)
    assert taken.organs == ("spleen", "liver")
    assert taken.left == ("mr", "right kidney", "left kidney")


def test_the_second_role_alone_begins_as_itself():
    new = replace(OLD, inputs=OLD.inputs[1:])
    taken = begun(new)
    assert taken.roles == {"mr": "mr"}
    key = "encoders.0.stems.{}.weight"
    assert torch.equal(taken.state[key.format(0)], WEIGHTS[key.format(1)])


def test_a_role_of_another_name_begins_as_one_of_its_modality():
    new = replace(OLD, inputs=(replace(OLD.inputs[1], role="t1"),))
    assert begun(new).roles == {"t1": "mr"}


def test_a_new_organ_begins_by_chance_beside_those_that_are_known():
    new = replace(OLD, table=table("liver", "gallbladder"))
    taken = begun(new)
    assert taken.fresh == ("gallbladder",)
    head = taken.state["decoders.0.heads.0.bias"]
    assert torch.equal(head[:2], WEIGHTS["decoders.0.heads.0.bias"][:2])
    assert torch.equal(head[2], tiny_state(new, seed=2)["decoders.0.heads.0.bias"][2])
    words = taken.sentence("abdomen-ct-mr")
    assert "organs taken: liver; new, by chance: gallbladder; left out: right kidney" in words


def test_kernels_of_its_own_for_each_scan_begin_as_the_shared_ones():
    new = replace(OLD, network=replace(OLD.network, shared_kernels=False))
    taken = begun(new)
    kernel, norm = "encoders.{}.levels.1.second.weight", "encoders.{}.levels.1.norm.norms.{}.weight"
    for m in (0, 1):
        assert torch.equal(taken.state[kernel.format(m)], WEIGHTS[kernel.format(0)])
        assert torch.equal(taken.state[norm.format(m, 0)], WEIGHTS[norm.format(0, m)])
    assert begun(OLD, taken.state, new).share == 1


def test_a_network_of_which_nothing_fits_is_refused_with_what_differs():
    new = replace(OLD, network=replace(OLD.network, widths=(6, 10)))
    with pytest.raises(BadInput, match=r"Nothing of abdomen-ct-mr fits .*\(4, 8\) and \(6, 10\)"):
        begun(new)
