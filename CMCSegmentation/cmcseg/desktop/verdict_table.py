"""What the comparison of a fine-tuned model with the one in use says, organ by organ."""

from slicer.i18n import tr as _

from cmcseg.core.card import ModelCard
from cmcseg.desktop.controls import allow, fill_table
from cmcseg.session.learn import LearnSession
from cmcseg.session.stage import LearnStage


def show_verdict(ui: object, session: LearnSession, card: ModelCard | None) -> None:
    """Fill sentence, table and buttons; the reason is asked for only where one is needed."""
    judged = session.stage is LearnStage.VERDICT
    against = judged and session.verdict.get("verdict") != "adopt"
    rows = verdict_rows(session.verdict.get("organs", {}), card)
    titles = [_("organ"), _("now"), _("new"), _("at worst"), ""]
    tips = [
        _("Organ and scan"),
        _("Mean Dice of the model in use"),
        _("Mean Dice of the new model"),
        _("The change of Dice that is exceeded with 95 % certainty"),
        _("What that means"),
    ]
    fill_table(ui.verdictTable, titles, rows, tips=tips)
    ui.verdictTable.setVisible(bool(rows))
    ui.verdictLabel.setText(session.verdict.get("reason", ""))
    ui.verdictLabel.setVisible(bool(session.verdict))
    ui.reasonEdit.setVisible(against)
    lacking = against and not ui.reasonEdit.text.strip()
    why = _("The comparison does not speak for the new model; give a reason to adopt it.")
    allow(ui.adoptButton, why if lacking else "", _("Use the new model from now on"))
    allow(ui.keepButton, "", _("Go on with the model in use"))


def verdict_rows(organs: dict[str, dict], card: ModelCard | None) -> list[list[str]]:
    """A line per organ and scan: Dice of both models, the change at worst, a word."""
    titles = {spec.role: spec.title for spec in card.inputs} if card else {}
    rows = []
    for key, found in organs.items():
        role, _space, organ = key.partition(" ")
        rows.append(
            [
                f"{titles.get(role, role)} {organ}",
                f"{found['old']:.3f}",
                f"{found['new']:.3f}",
                f"{found['at_worst']:+.3f}",
                _word(found),
            ]
        )
    return rows


def _word(found: dict) -> str:
    if found["at_worst"] > 0:
        return _("better")
    return _("may be worse") if found["worse"] else _("not worse")
