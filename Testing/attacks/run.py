"""Try every class of attack many times; print what was tried and held, as docs/security.md has it.

python Testing/attacks/run.py [COUNT] [SEED]
"""

import logging
import random
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "helpers")]


def tried(attack: Callable, count: int, seed: int) -> list[str]:
    """What was not held of ``count`` attacks: a number that repeats it, and how it ended."""
    failures = []
    for number in range(count):
        with tempfile.TemporaryDirectory() as place:
            try:
                good, how = attack(random.Random(f"{seed} {number}"), Path(place)), "was let in"
            except Exception:
                good, how = False, traceback.format_exc()
        if not good:
            failures.append(f"{seed} {number}: {how}")
    return failures


def main(count: int, seed: int) -> int:
    """Print the table; returns how many attacks were not held."""
    from classes import CLASSES

    logging.disable(logging.CRITICAL)  # aiohttp tells of every odd request
    print("| attack on | tried | held |\n|---|---|---|")
    all_failures = []
    for name, attack in CLASSES.items():
        failures = tried(attack, count, seed)
        all_failures += [f"{name} {failure}" for failure in failures]
        print(f"| {name} | {count} | {count - len(failures)} |", flush=True)
    total = count * len(CLASSES)
    print(f"| all | {total} | {total - len(all_failures)} |")
    print("\n".join(all_failures), file=sys.stderr)
    return len(all_failures)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(bool(main(*(numbers + [300, 1][len(numbers) :]))))
