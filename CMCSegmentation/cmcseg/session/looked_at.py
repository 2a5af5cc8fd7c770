"""Which places of a review a reader has seen, and which of them are fine."""

from cmcseg.core.review_places import Place
from cmcseg.session.i18n import _


class LookedAt:
    """The marks that a reader leaves on the places of one result.

    Args:
        places: of the result.

    Attributes:
        seen, fine: numbers of places; what is fine was seen.
    """

    def __init__(self, places: tuple[Place, ...] = ()) -> None:
        self.places = places
        self.seen: set[int] = set()
        self.fine: set[int] = set()

    def see(self, number: int) -> None:
        """The reader was there."""
        self.seen.add(number)

    def mark_fine(self, number: int) -> None:
        """Nothing is wrong there, or the mark is taken away again."""
        self.seen.add(number)
        self.fine ^= {number}

    def next_unseen(self, after: int) -> int:
        """The next place that was not looked at, or -1."""
        count = len(self.places)
        order = [(after + step) % count for step in range(1, count + 1)] if count else []
        return next((number for number in order if number not in self.seen), -1)

    @property
    def unseen(self) -> int:
        """How many places were not looked at."""
        return len(self.places) - len(self.seen)

    def question(self) -> str:
        """What is asked before a result is accepted that was not looked at; empty where it was."""
        if not self.unseen:
            return ""
        sentence = _("{unseen} of {count} places were not looked at. Accept nevertheless?")
        return sentence.format(unseen=self.unseen, count=len(self.places))
