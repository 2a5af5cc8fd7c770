"""Small damages of a file, drawn by chance; the same seed draws the same."""

import random

NUMBERS = (b"0", b"-1", b"nan", b"1e308", b"99999999999", b"0.0000001", b"[]", b"{}", b"null")
BYTES = (b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\r", b"\n", b"\n\n")


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The data with one to four damages."""
    for _ in range(dice.randint(1, 4)):
        data = dice.choice((_flip, _cut, _put, _twice, _number, _lose))(data, dice)
    return data


def _at(data: bytes, dice: random.Random) -> int:
    """A place, most of them in the header."""
    end = len(data) if dice.random() < 0.3 else min(len(data), 1200)
    return dice.randrange(end + 1)


def _flip(data: bytes, dice: random.Random) -> bytes:
    place = min(_at(data, dice), max(len(data) - 1, 0))
    return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]


def _cut(data: bytes, dice: random.Random) -> bytes:
    return data[: _at(data, dice)] if dice.random() < 0.3 else data


def _put(data: bytes, dice: random.Random) -> bytes:
    place, word = _at(data, dice), dice.choice(BYTES)
    return data[:place] + word + data[place + (len(word) if dice.random() < 0.5 else 0) :]


def _twice(data: bytes, dice: random.Random) -> bytes:
    place, length = _at(data, dice), dice.randint(1, 40)
    return data[:place] + data[max(place - length, 0) : place] * 2 + data[place:]


def _number(data: bytes, dice: random.Random) -> bytes:
    """Another number in the place of one."""
    digits = [i for i, byte in enumerate(data[:4000]) if 48 <= byte <= 57]
    if not digits:
        return data
    start = stop = dice.choice(digits)
    while stop < len(data) and data[stop : stop + 1].isdigit():
        stop += 1
    return data[:start] + dice.choice(NUMBERS) + data[stop:]


def _lose(data: bytes, dice: random.Random) -> bytes:
    place = _at(data, dice)
    return data[:place] + data[place + dice.randint(1, 30) :]
