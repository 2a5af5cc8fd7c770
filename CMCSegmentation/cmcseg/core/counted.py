"""A number with its noun."""


def counted(number: int, noun: str, several: str = "") -> str:
    """As in "1 pair" and "2 pairs".

    Args:
        number: how many.
        noun: of one.
        several: the noun of more; with an s when left out.
    """
    return f"{number} {noun if number == 1 else several or noun + 's'}"
