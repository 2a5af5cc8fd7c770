"""A place of doubt in the reader's language."""

from cmcseg.core.review_places import Place
from cmcseg.session.i18n import _


def place_sentence(place: Place) -> str:
    """What the review line says ("left kidney, upper pole, scans disagree")."""
    words = {
        "outside the organs": _("outside the organs"),
        "left side": _("left side"),
        "right side": _("right side"),
        "back": _("back"),
        "front": _("front"),
        "lower pole": _("lower pole"),
        "upper pole": _("upper pole"),
        "lower part": _("lower part"),
        "upper part": _("upper part"),
        "middle": _("middle"),
        "model unsure": _("model unsure"),
        "scans disagree": _("scans disagree"),
    }
    return ", ".join(words.get(part, part) for part in place.words)


def review_line(places: tuple[Place, ...], index: int) -> str:
    """Which place is shown, by its number from 0, of how many; none is when it is outside."""
    if not places:
        return _("No place stands out; scroll through the organs once.")
    if not 0 <= index < len(places):
        one, more = _("1 place to look at."), _("{count} places to look at.")
        return one if len(places) == 1 else more.format(count=len(places))
    sentence = _("{number} of {count}: {place}")
    return sentence.format(number=index + 1, count=len(places), place=place_sentence(places[index]))
