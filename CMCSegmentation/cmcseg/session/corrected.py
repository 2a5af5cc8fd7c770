"""A result as it stands after a human corrected it: for the report, and to take out."""

from dataclasses import replace

from cmcseg.core.labelmap import LabelMap
from cmcseg.session.i18n import _
from cmcseg.session.ports import Change
from cmcseg.session.result import Result


def corrected(result: Result, drawn: dict[str, LabelMap], changes: tuple[Change, ...]) -> Result:
    """The result with the organs as they are drawn; what was changed is said in its warnings.

    Args:
        result: of the model.
        drawn: the organs by role.
        changes: what differs, organ by organ.
    """
    if not changes:
        return result
    prediction = result.prediction
    found = {role: labels.volumes_ml() for role, labels in prediction.labels.items()}
    now = {role: labels.volumes_ml() for role, labels in drawn.items()}
    sentence = _(
        "Corrected by hand in the {title}: {organ}, {now} mL; the model had found {found} mL "
        "(+{added}, −{removed} mL)."
    )
    told = tuple(
        sentence.format(
            title=result.title(change.role),
            organ=change.organ,
            now=f"{now[change.role][change.organ]:.1f}",
            found=f"{found[change.role][change.organ]:.1f}",
            added=f"{change.added_ml:.1f}",
            removed=f"{change.removed_ml:.1f}",
        )
        for change in changes
    )
    return replace(
        result,
        prediction=replace(prediction, labels=drawn, warnings=(*told, *prediction.warnings)),
    )
