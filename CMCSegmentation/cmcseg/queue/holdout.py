"""Which pairs are learned from and which are kept back: a function of a pair's random id alone.

A count of what lies in the queue would be read by two programs at once and change when entries are
set aside. The id does not change, so a pair has one part at every time, in every copy of the queue
and for every program, without a lock. Pairs that are corrected here are learned from, as each is
judged before; what was kept back by an earlier program, or comes from somebody's validation set,
stays so.
"""

import hashlib
import re
import secrets

LEARN, CHECK = "learn", "check"
PARTS = (LEARN, CHECK)
EVERY = 4  # one id in four is kept back
_FRESH = re.compile("p[0-9a-f]{12}")
_SALT = "cmcseg queue part "  # never to be changed: pairs would change sides


def part_of(pair: str) -> str:
    """``learn``, or ``check``: never trained on, kept to compare models."""
    digest = hashlib.sha256((_SALT + pair).encode("utf-8")).digest()
    return CHECK if digest[0] % EVERY == 0 else LEARN


def new_pair(part: str | None = None) -> str:
    """A fresh study-local id, from the system's randomness.

    Args:
        part: where the pair is to go; None leaves it to chance.
    """
    while True:
        pair = "p" + secrets.token_hex(6)
        if part in (None, part_of(pair)):
            return pair


def is_fresh_id(pair: str) -> bool:
    """Whether an id is of those that ``new_pair`` draws, and so is no other pair's by chance."""
    return _FRESH.fullmatch(pair) is not None
