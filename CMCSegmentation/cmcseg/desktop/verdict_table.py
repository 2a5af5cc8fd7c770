"""What the comparison of a fine-tuned model with the one in use says, organ by organ."""

from slicer.i18n import tr as _

from cmcseg.core.card import ModelCard
from cmcseg.desktop.controls import allow, fill_table
from cmcseg.session.learn import LearnSession
from cmcseg.session.stage import LearnStage
from cmcseg.session.verdict import at_fault, is_against, is_made, organ_lines, told


def show_verdict(ui: object, session: LearnSession, card: ModelCard | None) -> None:
    """Fill sentence, table and buttons; the reason is asked for only where one is needed."""
    verdict = session.verdict
    made = is_made(verdict)
    undecided = session.stage is LearnStage.VERDICT and made
    against = undecided and is_against(verdict)
    rows = [
        [line.name, f"{line.old:.3f}", f"{line.new:.3f}", f"{line.at_worst:+.3f}", line.word]
        for line in organ_lines(verdict, card)
    ]
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
    faults = [f"{session.title(pair)}: {why}" for pair, why in at_fault(verdict).items()]
    ui.verdictLabel.setText("\n".join([told(verdict, session.title), *faults]))
    ui.verdictLabel.setVisible(bool(verdict))
    ui.reasonEdit.setVisible(against)
    lacking = against and not ui.reasonEdit.text.strip()
    why = _("The comparison does not speak for the new model; give a reason to adopt it.")
    allow(ui.adoptButton, why if lacking else "", _("Use the new model from now on"))
    allow(ui.keepButton, "", _("Go on with the model in use"))
    for control in (ui.besideButton, ui.besideEdit):
        control.setVisible(undecided)
    nowhere = "" if ui.besideEdit.text.strip() else _("Say for which site, such as Dijon.")
    beside = _("The new model becomes one of its own for this site; the one in use stays")
    allow(ui.besideButton, why if lacking else nowhere, beside)
