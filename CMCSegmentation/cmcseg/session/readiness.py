"""Why scans cannot be segmented, or a kept result cannot be taken up; empty when they can."""

from cmcseg.core.card import ModelCard
from cmcseg.core.prediction import Prediction
from cmcseg.session.i18n import _
from cmcseg.session.ports import ScanInfo


def why_not_scans(card: ModelCard, chosen: dict[str, str], scans: tuple[ScanInfo, ...]) -> str:
    """One sentence about the scans that are chosen by role.

    Args:
        card: of the model.
        chosen: key of the scan by role.
        scans: those of the scene.
    """
    titles = {spec.role: spec.title for spec in card.inputs}
    if not chosen:
        return _("Choose a scan: {choice}.").format(choice=_(" or ").join(titles.values()))
    infos = {scan.key: scan for scan in scans}
    for role, key in chosen.items():
        if key not in infos:
            sentence = _("The {title} scan is no longer in the scene; choose another.")
            return sentence.format(title=titles[role])
        if infos[key].refusal:
            return infos[key].refusal
    if len(set(chosen.values())) < len(chosen):
        both = _(" and as ").join(titles[role] for role in chosen)
        sentence = _("The same scan is chosen as {both}; choose two scans, or one.")
        return sentence.format(both=both)
    return ""


def why_not_resume(kept: Prediction, card: ModelCard | None, chosen: dict[str, str]) -> str:
    """One sentence about a segmentation that was kept on disk."""
    if set(kept.labels) != set(chosen):
        return _("What was kept belongs to other scans.")
    tables = [labels.table for labels in kept.labels.values()]
    if card is None or kept.model != card.name or any(table != card.table for table in tables):
        sentence = _(
            "What was kept was found by {model} {version}, whose organs are others; choose that "
            "model to go on with it."
        )
        return sentence.format(model=kept.model, version=kept.version)
    return ""
