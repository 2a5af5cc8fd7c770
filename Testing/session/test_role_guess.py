from dataclasses import replace

import pytest
from cmcseg.session.ports import ScanInfo
from cmcseg.session.role_guess import guess_roles, swap_hint
from session_parts import CARD

CT = ScanInfo(key="1", name="a", modality="CT", dark=-900)
MR = ScanInfo(key="2", name="b", modality="MR", dark=0)


@pytest.mark.parametrize(
    "scans",
    [
        (CT, MR),
        (MR, CT),
        (replace(CT, modality="", series="venous"), replace(MR, modality="", name="5 T2 SPIR")),
        (replace(CT, modality=""), replace(MR, modality="")),  # by their values alone
        (replace(MR, key="9", refusal="photo holds 3 numbers"), MR, CT),
    ],
)
def test_scans_find_their_roles(scans):
    assert guess_roles(scans, CARD) == {"ct": "1", "mr": "2"}


def test_a_role_stays_empty_rather_than_wrong():
    assert guess_roles((MR,), CARD) == {"mr": "2"}
    assert guess_roles((), CARD) == {}


def test_among_many_the_one_with_the_right_words_wins():
    others = tuple(replace(MR, key=f"o{n}", name="scout") for n in range(40))
    wanted = replace(MR, name="T2 SPIR axial")
    assert guess_roles((*others, wanted, CT), CARD)["mr"] == "2"


def test_two_roles_of_one_modality_are_told_apart_by_words():
    first, second = CARD.inputs
    card = replace(
        CARD,
        inputs=(
            replace(first, role="bssfp", modality="MR", keywords=("bssfp", "cine")),
            replace(second, role="lge", keywords=("lge", "delayed")),
        ),
    )
    scans = (
        replace(MR, key="x", name="delayed enhancement"),
        replace(MR, key="y", series="cine 4ch"),
    )
    assert guess_roles(scans, card) == {"bssfp": "y", "lge": "x"}


def test_a_swap_is_suggested_only_when_it_helps():
    assert swap_hint({"ct": CT, "mr": MR}, CARD) == ""
    assert swap_hint({"ct": MR, "mr": CT}, CARD) == ("b looks like MR and a like CT. Swap them?")
    assert swap_hint({"ct": CT}, CARD) == ""
