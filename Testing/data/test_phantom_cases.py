"""Which of a model's organs phantoms show."""

from dataclasses import replace

from cmcseg.bundle.store import task_card
from cmcseg.core.card import CleaningRule
from cmcseg.core.labelmap import Label
from cmcseg.data.phantom_cases import phantom_task, shown_table

CARD = task_card("abdomen")


def test_all_organs_of_a_task_are_shown():
    assert phantom_task(CARD) == "abdomen"
    assert shown_table(CARD, "abdomen") == CARD.table


def test_an_organ_that_was_added_is_not_shown_and_the_others_still_are():
    new = Label(value=5, name="gallbladder", color="#123456")
    table = replace(CARD.table, labels=(*CARD.table.labels, new), mirrored=((2, 3), (4, 5)))
    longer = replace(CARD, table=table)
    assert phantom_task(longer) == "abdomen"
    shown = shown_table(longer, "abdomen")
    assert shown.labels == CARD.table.labels
    assert shown.mirrored == ((2, 3),)


def test_a_model_of_other_organs_has_no_phantom():
    other = replace(
        CARD.table, labels=(Label(value=1, name="heart", color="#123456"),), mirrored=()
    )
    assert phantom_task(replace(CARD, table=other, cleaning=CleaningRule())) == ""
    assert phantom_task(replace(CARD, inputs=CARD.inputs[:1])) == ""
