"""Kill -9 at random moments while a queue and a model's versions change: nothing may be lost.

    python Testing/queue/kill_at_random.py [MOMENTS [SEED]]

A child adds, removes, restores, adopts and rolls back without a pause, and says what it begins and
what it has done. It is killed after a random while, and what lies on the disk is held against what
it said. For systems that can fork.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.store import Store
from cmcseg.bundle.versions import adopt, history, rollback
from cmcseg.core.errors import BadInput
from cmcseg.queue.ledger import Ledger

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fine_tuned import NAME, a_run
from queued import a_draft
from tiny import tiny_bundle

LONGEST = 0.4  # seconds until the kill
# One of these for each life: what is quick would hardly ever be hit beside what is slow.
MOODS = (("add", "again"), ("remove", "restore"), ("adopt", "rollback"))
FRESH = 20  # moments after which queue and store begin anew, so that checks stay short


def live(ledger: Ledger, store: Store, runs: Path, seed: int, say) -> None:
    """Change things for ever; ``say("? VERB")`` before and ``say("VERB RESULT")`` after each."""
    chance = random.Random(seed)
    verbs = chance.choice(MOODS)
    while True:
        verb = chance.choice(verbs)
        ids = [path.name for path in ledger._listed("entries")]
        removed = [".".join(path.name.split(".")[:2]) for path in ledger._listed("removed")]
        if verb == "remove" and not ids:
            verb = "add"
        say(f"? {verb}")
        if verb == "add":
            say(f"add {ledger.add(a_draft(chance.randrange(99))).id}")
        elif verb == "again" and ids:
            pair = chance.choice(ids).split(".")[0]
            say(f"add {ledger.add(a_draft(chance.randrange(99), pair=pair)).id}")
        elif verb == "remove" and ids:
            name = chance.choice(ids)
            ledger.remove(name)
            say(f"remove {name}")
        elif verb == "restore" and removed:
            say(f"restore {ledger.restore(chance.choice(removed)).id}")
        elif verb == "adopt":
            run = a_run(store, runs / "run", seed=chance.randrange(5))
            say(f"use {adopt(store, NAME, run).name}")
        elif verb == "rollback" and len(history(store, NAME)) > 1:
            try:
                say(f"use {rollback(store, NAME).name}")
            except BadInput:
                continue  # the first version is in use


def killed(work, after: float) -> list[str]:
    """What a child said until it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            work(lambda line: os.write(writing, f"{line}\n".encode()))
        except BaseException as error:
            os.write(writing, f"! {error!r}\n".encode())
        os._exit(1)
    os.close(writing)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read().splitlines()


class Memory:
    """What must be on the disk, from what was said."""

    def __init__(self) -> None:
        self.here: set[str] = set()
        self.removed: set[str] = set()
        self.versions = {"base"}
        self.used = "base"

    def hear(self, lines: list[str]) -> str:
        """Take it in; returns the verb that was cut off, or nothing."""
        begun = ""
        for line in lines:
            verb, what = line.split(" ", 1)
            if verb == "!":
                raise AssertionError(f"The child failed by itself: {what}")
            begun = what if verb == "?" else ""
            if verb in ("add", "restore"):
                self.here.add(what)
                self.removed.discard(what)
            elif verb == "remove":
                self.here.discard(what)
                self.removed.add(what)
            elif verb == "use":
                self.versions.add(what)
                self.used = what
        return begun

    def check_queue(self, ledger: Ledger, begun: str) -> None:
        """Nothing told is lost, nothing is half there, at most what was cut off differs."""
        assert ledger.verify() == {}
        names = {path.name for path in ledger._listed("entries")}
        assert {entry.id for entry in ledger.entries()} == names
        aside = {".".join(path.name.split(".")[:2]) for path in ledger._listed("removed")}
        assert self.here | self.removed <= names | aside
        assert not names & aside
        moved = (names ^ self.here) | (aside ^ self.removed)
        allowed = begun in ("add", "again", "remove", "restore")
        assert len(moved) <= (1 if allowed else 0), (begun, moved)
        self.here, self.removed = names, aside

    def check_model(self, store: Store, begun: str) -> None:
        """The model loads, every version told is there, and the one in use is the one told."""
        versions = history(store, NAME)
        names = [version.name for version in versions]
        assert self.versions <= set(names)
        used = [version.name for version in versions if version.in_use]
        assert len(used) == 1
        assert used[0] == self.used or begun in ("adopt", "rollback"), (begun, used, self.used)
        for version in versions:
            folder = store.base(NAME) if version.name == "base" else (
                store.user / ".versions" / NAME / version.name
            )  # fmt: skip
            assert load_bundle(folder).card.sha256 == version.card.sha256
        assert load_bundle(store.find(NAME)).card.name == NAME
        self.versions, self.used = set(names), used[0]


def main(moments: int, seed: int) -> Counter:
    """Kill so many times; returns in which verb it fell how often."""
    torch.set_num_threads(1)
    chance, fell = random.Random(seed), Counter()
    for number in range(moments):
        if number % FRESH == 0:
            root = Path(tempfile.mkdtemp())
            tiny_bundle(root / "shipped" / NAME)
            store = Store(shipped=root / "shipped", user=root / "user")
            ledger, memory = Ledger(root / "queue"), Memory()
        after, child_seed = chance.uniform(0.0, LONGEST), chance.randrange(10**6)

        work = partial(live, ledger, store, root / "runs", child_seed)
        begun = memory.hear(killed(work, after))
        memory.check_queue(ledger, begun)
        memory.check_model(store, begun)
        fell[begun or "between"] += 1
        if number % FRESH == FRESH - 1 or number == moments - 1:
            shutil.rmtree(root)
    return fell


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    fell = main(*(numbers + [200, 0][len(numbers) :]))
    told = ", ".join(f"{count} in {verb}" for verb, count in sorted(fell.items()))
    sys.stdout.write(f"{sum(fell.values())} kills ({told}): nothing lost, nothing half there.\n")
