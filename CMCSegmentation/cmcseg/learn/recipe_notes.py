"""What a recipe cannot do with what it is given, said before it runs."""

from cmcseg.core.settings import TrainSettings
from cmcseg.data.cache import Cache
from cmcseg.learn.recipes import UNLABELLED


def recipe_notes(cache: Cache, settings: TrainSettings) -> list[str]:
    """A sentence for every part of the recipe that will be idle or has to make do."""
    train = [scan for scan in cache.scans if scan.split == "train"]
    drawn = {scan.role for scan in train if scan.labels is not None}
    told = [
        f"No {role} scan is labelled; it is learned from {' and '.join(sorted(drawn))} alone."
        for role in cache.card.roles
        if role not in drawn
    ]
    if settings.recipe not in UNLABELLED:
        return told
    roles = cache.card.roles
    if len(roles) < 2 and settings.recipe == "paper":
        told.append(
            f"The recipe paper lets two scans of a patient learn from each other; with {roles[0]} "
            "alone it is the recipe supervised."
        )
    elif len(roles) < 2:
        told.append(
            f"With {roles[0]} alone the recipe best is without the terms between two scans; the "
            "averaged teacher and the mixtures remain."
        )
    if settings.labelled == 1 and all(scan.labels is not None for scan in train):
        told.append(
            f"No training scan is without labels, so the recipe {settings.recipe} has nothing "
            "beyond what supervised has to learn from: it looks at the labelled scans a second "
            "time, labels withheld."
        )
    return told
