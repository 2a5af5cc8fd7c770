"""Models per site: a fine-tuned model beside the one it came from, for the scans of one hospital.

It is a model of the user's own, so fine-tuning, rolling back, exporting and removing are those of
any model; that it came from another one, and from which, stands in its history as ``beside``.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from cmcseg.bundle.adoption import (
    CANDIDATE,
    adoption_record,
    check_adoption,
    next_version,
    verdict_of,
)
from cmcseg.bundle.store import Store
from cmcseg.bundle.untaught import taught
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.slug import slug

LONGEST = 40  # letters of a site's name: a list shows it behind the model's
SIGNS = " -_.'(),&/"  # beside letters and digits


def adopt_beside(
    store: Store, model: str, run: Path, site: str, *, overrule: str = ""
) -> ModelCard:
    """Keep the candidate of a fine-tuning as a model of its own; the one in use stays in use.

    Args:
        store: where the model is known, and where the new one goes.
        model: its name.
        run: folder of the fine-tuning.
        site: what the new model is for, in the user's words ("Dijon").
        overrule: why to keep it although the verdict is not ``adopt``; kept for ever.

    Returns:
        The new model's card: its name ends in the site, and so does its title.

    Raises:
        BadInput: when the site has no name or an odd one, there is a model of that name, or for any
            reason for which ``adopt`` refuses.
    """
    from cmcseg.bundle.load import load_bundle  # torch is needed from here on
    from cmcseg.bundle.pack import save_bundle

    site = _checked(site)
    verdict = verdict_of(run)
    candidate, used = load_bundle(run / CANDIDATE), store.card(model)
    check_adoption(verdict, candidate.card, used, model, run, overrule)
    name = f"{model}-{slug(site)}"
    if there := next((n for n in store.names() if n.casefold() == name.casefold()), ""):
        raise BadInput(f"There is a model {there} already; give the site another name.")
    record = {**adoption_record(verdict, run, overrule), "beside": model, "site": site}
    known = taught(used, len(verdict["learned_from"]))
    card = replace(
        known,
        name=name,
        title=f"{known.title}, {site}",
        version=next_version(used.version),
        network=candidate.card.network,
        corrected=candidate.card.corrected,
        parent=used.sha256,
        measured={},
        history=(*used.history, record),
    )
    with tempfile.TemporaryDirectory(prefix="cmcseg-site-") as place:
        save_bundle(candidate.network.state_dict(), card, Path(place) / name)
        return store.card(str(store.import_(Path(place) / name)))


def _checked(site: str) -> str:
    """The site's name with single spaces."""
    name = " ".join(site.split())
    if not name:
        raise BadInput("Say for which site the model is kept, as in 'Dijon'.")
    plain = all(sign.isalnum() or sign in SIGNS for sign in name)
    if len(name) > LONGEST or not plain or not slug(name):
        raise BadInput(
            f"A site cannot be called {name[:LONGEST]!r}; use up to {LONGEST} letters, digits and "
            f"spaces, one of them a Latin letter or a digit."
        )
    return name
