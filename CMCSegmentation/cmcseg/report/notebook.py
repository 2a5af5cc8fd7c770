"""A segmentation as it shows itself in a notebook: a picture and a table for each scan."""

from collections.abc import Mapping
from html import escape

from cmcseg.core.card import RESEARCH_USE, ModelCard
from cmcseg.core.prediction import Prediction
from cmcseg.core.volume import Volume
from cmcseg.report.evaluation_page import Worst, as_png, picture_of


def as_html(card: ModelCard, scans: Mapping[str, Volume], prediction: Prediction) -> str:
    """One fragment of HTML that needs nothing else.

    Args:
        card: of the model.
        scans: by role.
        prediction: what was found.
    """
    parts = []
    for role, found in prediction.labels.items():
        shown = Worst(case="", role=role, volume=scans[role], found=found, truth=found, dice={})
        title = escape(card.input(role).title)
        rows = "".join(
            f'<tr><td><span style="color:{label.color}">&#9632;</span> {escape(label.name)}</td>'
            f'<td style="text-align:right">{found.volumes_ml()[label.name]:.1f} ml</td></tr>'
            for label in card.table
        )
        picture = as_png(picture_of(shown, card))
        parts.append(
            f'<figure style="margin:0 1em 1em 0"><img alt="{title}" src="{picture}" '
            f'style="width:20em"><figcaption>{title}</figcaption><table>{rows}</table></figure>'
        )
    notes = "".join(f"<p>{escape(sentence)}</p>" for sentence in prediction.warnings)
    name = escape(f"{card.title} {card.version}")
    return (
        f'<div><div style="display:flex;flex-wrap:wrap">{"".join(parts)}</div>{notes}'
        f"<p>{name}. {RESEARCH_USE}.</p></div>"
    )
