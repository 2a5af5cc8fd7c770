"""Which of the entries that were taken out of a queue can be offered to be brought back."""

from contextlib import suppress

from cmcseg.queue.entry import pair_of


def returnable(removed: list[str], there: list[str]) -> list[str]:
    """The last entry of every pair that is gone from the queue; the one that left last comes first.

    Args:
        removed: names below ``removed``: an entry's and when it left, ``p4f01c2.r1.1764446747``.
        there: entries that are in the queue.
    """
    left: dict[str, str] = {}
    for name, _, _when in sorted((name.rpartition(".") for name in removed), key=lambda at: at[2]):
        with suppress(ValueError):  # what somebody else has put there
            pair = pair_of(name)[0]
            left.pop(pair, None)
            left[pair] = name
    back = {pair_of(name)[0] for name in there}
    return [name for pair, name in reversed(left.items()) if pair not in back]
