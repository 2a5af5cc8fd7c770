"""A verdict is believed only as far as its own numbers carry it."""

import json

import pytest
from cmcseg.bundle import verdict as module
from cmcseg.bundle.verdict import read_verdict, sealed
from cmcseg.core.errors import BadInput
from cmcseg.learn import noninferiority
from cmcseg.learn.noninferiority import Score, judge
from hypothesis import given, settings
from hypothesis import strategies as st

CHANGES = st.lists(
    st.tuples(st.sampled_from(["liver", "spleen"]), st.floats(-0.1, 0.2), st.booleans()),
    max_size=12,
)


def judged(rows, fresh=frozenset()):
    scores = [
        Score(case=f"c{k}", role="ct", organ=organ, old=0.5, new=0.5 + change, real=real)
        for k, (organ, change, real) in enumerate(rows)
    ]
    compared_on = [score.case for score in scores if score.real]
    return {**judge(scores, fresh=fresh).to_dict(), "compared_on": compared_on}


def believed(folder, content):
    """Whether a verdict is taken; whoever turned it has sealed it anew."""
    content = sealed(content)
    (folder / "verdict.json").write_text(json.dumps(content))
    try:
        return read_verdict(folder) == content
    except BadInput:
        return False


@pytest.fixture(scope="module")
def a_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@settings(deadline=None, max_examples=40)
@given(CHANGES, st.sampled_from([frozenset(), frozenset({"ct spleen"})]))
def test_what_the_gate_says_is_believed_and_a_turned_word_is_not(a_folder, rows, fresh):
    content = judged(rows, fresh)
    assert believed(a_folder, content)
    if content["verdict"] != "adopt":
        assert not believed(a_folder, {**content, "verdict": "adopt"})


def test_the_limits_are_those_of_the_gate():
    assert (module.MARGIN, module.FEWEST, module.FOUND, module.ADOPT) == (
        noninferiority.MARGIN, noninferiority.FEWEST, noninferiority.FOUND, noninferiority.ADOPT
    )  # fmt: skip


@pytest.mark.parametrize("key", ["verdict", "reason", "sha256", "compared_on", "seal"])
def test_an_edit_breaks_the_seal(a_folder, key):
    content = {**judged(WORSE), "sha256": "ab"}
    path = a_folder / "verdict.json"
    path.write_text(json.dumps({**sealed(content), key: "something else"}))
    with pytest.raises(BadInput, match="was changed after the comparison; fine-tune again"):
        read_verdict(a_folder)


def test_a_seal_does_not_ask_for_the_order_of_the_keys(a_folder):
    content = sealed(judged(WORSE))
    turned = dict(reversed(content.items()))
    (a_folder / "verdict.json").write_text(json.dumps(turned, indent=3))
    assert read_verdict(a_folder) == content


WORSE = [("liver", -0.1 - k / 1000, True) for k in range(4)]
CHANCE = [("liver", change, True) for change in (0.02, -0.01, 0.01, -0.01)]
FEW = [("liver", 0.1 + k / 1000, k < 2) for k in range(4)]


@pytest.mark.parametrize(
    ("rows", "change"),
    [
        (WORSE, {"organs": {}}),
        (WORSE, {"margin": 0.5}),
        (WORSE, {"mean_change": 0.1}),
        (CHANCE, {"mean_at_worst": 0.1}),
        (CHANCE, {"mean_change": 0.2, "mean_at_worst": 0.1, "real_cases": 9}),
        (CHANCE, {"mean_change": 0.2, "mean_at_worst": 0.1}),
        (FEW, {"fresh": {"ct spleen": {"new": 0.9, "at_worst": 0.8, "cases": 2, "found": True}}}),
        (FEW, {"real_cases": 3}),
    ],
)
def test_a_number_changed_with_the_word_does_not_help(a_folder, rows, change):
    content = judged(rows)
    assert content["verdict"] != "adopt"
    assert not believed(a_folder, {**content, **change, "verdict": "adopt"})


@pytest.mark.parametrize("name", ["old", "new", "change", "at_worst", "worse"])
def test_one_number_of_an_organ_cannot_be_changed_alone(a_folder, name):
    content = judged(WORSE)
    organ = content["organs"]["ct liver"]
    organ[name] = False if name == "worse" else 0.9
    assert not believed(a_folder, content)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"verdict": "adopt"}', "\xff"])
def test_what_is_no_verdict_is_refused_in_words(tmp_path, text):
    (tmp_path / "verdict.json").write_text(text, encoding="latin-1")
    with pytest.raises(BadInput, match=r"holds no finished|was changed after|does not follow"):
        read_verdict(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "3", '"x"', "[" * 5000 + "]" * 5000, '{"a":' * 300 + "1" + "}" * 300, "{}"],
    ids=range(7),
)
def test_odd_json_is_a_sentence(tmp_path, text):
    (tmp_path / "verdict.json").write_text(text)
    with pytest.raises(BadInput, match=r"\.$"):
        read_verdict(tmp_path)
