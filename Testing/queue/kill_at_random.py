"""Kill -9 at random moments while a queue and a model's versions change: nothing may be lost.

    python Testing/queue/kill_at_random.py [MOMENTS [SEED]]

A child adds, removes, restores, fine-tunes, adopts, rolls back and keeps models for sites without a
pause, and says what it begins and what it has done. It is killed after a random while, and what
lies on the disk is held against what it said. A fine-tuning goes on where the last child was
killed, and must end as one that nobody interrupted. For systems that can fork.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from cmcseg.bundle.load import load_bundle
from cmcseg.bundle.pack import save_bundle
from cmcseg.bundle.site import adopt_beside
from cmcseg.bundle.store import Store
from cmcseg.bundle.verdict import read_verdict
from cmcseg.bundle.versions import adopt, history, rollback
from cmcseg.core.errors import BadInput
from cmcseg.data.cohort import read_cohort
from cmcseg.learn.finetune import FineTuneSettings, fine_tune
from cmcseg.queue.ledger import Ledger

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))
from fine_tuned import NAME, a_run
from queued import a_draft
from tiny import tiny_card, tiny_pairs, tiny_state

# One of these for each life, and the seconds until the kill at most: what is quick would hardly
# ever be hit beside what is slow.
MOODS = (
    (("add", "again"), 0.4),
    (("remove", "restore"), 0.4),
    (("adopt", "rollback", "beside"), 0.4),
    (("finetune",), 3.0),
)
LESSON = FineTuneSettings(minutes=5, device="cpu", steps=3, rehearse=0, compare=0)
FRESH = 20  # moments after which queue and store begin anew, so that checks stay short


def live(verbs, ledger: Ledger, store: Store, runs: Path, seed: int, say) -> None:
    """Change things for ever; ``say("? VERB")`` before and ``say("VERB RESULT")`` after each."""
    chance = random.Random(seed)
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
        elif verb == "finetune":
            say(f"learn {learn(store, runs)}")
        elif verb == "adopt":
            run = a_run(store, runs / "run", seed=chance.randrange(5))
            say(f"use {adopt(store, NAME, run).name}")
        elif verb == "beside":
            run = a_run(store, runs / "run", seed=chance.randrange(5))
            site = f"site {len(store.names())}"
            say(f"keep {adopt_beside(store, NAME, run, site).name}")
        elif verb == "rollback" and len(history(store, NAME)) > 1:
            try:
                say(f"use {rollback(store, NAME).name}")
            except BadInput:
                continue  # the first version is in use


def learn(store: Store, runs: Path) -> str:
    """Go on with the run that has no verdict yet, or begin one; the name of its folder."""
    number = 0
    while (runs / f"lesson-{number}" / "verdict.json").exists():
        number += 1
    run = runs / f"lesson-{number}"
    bundle = load_bundle(store.base(NAME))
    fine_tune(bundle, read_cohort(runs.parent / "pairs" / "cohort.json", bundle.card), run, LESSON)
    return run.name


def learn_in_peace(store: Store, runs: Path) -> None:
    """The same in a child that is not killed: whoever forks must not have learned anything."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            learn(store, runs)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


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
        self.learned: set[str] = set()
        self.kept: set[str] = set()

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
            elif verb == "learn":
                self.learned.add(what)
            elif verb == "keep":
                self.kept.add(what)
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
        kept = {name for name in store.names() if name != NAME}
        assert self.kept <= kept
        assert len(kept - self.kept) <= (begun == "beside"), (begun, kept - self.kept)
        for name in kept:
            assert load_bundle(store.find(name)).card.history[-1]["beside"] == NAME
        self.kept = kept

    def check_lessons(self, runs: Path) -> None:
        """Every verdict told is there, whole, and about weights that load; all are the same."""
        ended = {path.parent.name for path in runs.glob("lesson-*/verdict.json")}
        assert self.learned <= ended
        for name in ended:
            verdict = read_verdict(runs / name)
            assert load_bundle(runs / name / "candidate").card.sha256 == verdict["sha256"]
            assert verdict == read_verdict(runs / "unbroken")
        self.learned = ended


def begun_anew() -> tuple[Path, Store, Ledger]:
    """A shipped model, an empty queue, pairs to learn from, and a fine-tuning nobody interrupts."""
    root = Path(tempfile.mkdtemp())
    card = tiny_card()
    card = replace(card, grid=replace(card.grid, spacing=(6.0, 6.0, 6.0)))
    save_bundle(tiny_state(card), card, root / "shipped" / NAME)
    store = Store(shipped=root / "shipped", user=root / "user")
    (root / "pairs").mkdir()
    cases = tiny_pairs(root / "pairs", 3)
    content = {"training": cases[:2], "validation": cases[2:]}
    (root / "pairs" / "cohort.json").write_text(json.dumps(content))
    (root / "runs").mkdir()
    learn_in_peace(store, root / "runs")
    (root / "runs" / "lesson-0").rename(root / "runs" / "unbroken")
    return root, store, Ledger(root / "queue")


def main(moments: int, seed: int) -> tuple[Counter, int]:
    """Kill so many times.

    Returns:
        In which verb it fell how often, and how many fine-tunings came to their end.
    """
    torch.set_num_threads(1)
    chance, fell, lessons = random.Random(seed), Counter(), 0
    for number in range(moments):
        if number % FRESH == 0:
            (root, store, ledger), memory = begun_anew(), Memory()
        verbs, longest = chance.choice(MOODS)
        after, child_seed = chance.uniform(0.0, longest), chance.randrange(10**6)

        work = partial(live, verbs, ledger, store, root / "runs", child_seed)
        begun = memory.hear(killed(work, after))
        memory.check_queue(ledger, begun)
        memory.check_model(store, begun)
        memory.check_lessons(root / "runs")
        fell[begun or "between"] += 1
        if number % FRESH == FRESH - 1 or number == moments - 1:
            learn_in_peace(store, root / "runs")  # what was cut off goes on
            memory.check_lessons(root / "runs")
            lessons += len(memory.learned)
            shutil.rmtree(root)
    return fell, lessons


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    fell, lessons = main(*(numbers + [200, 0][len(numbers) :]))
    told = ", ".join(f"{count} in {verb}" for verb, count in sorted(fell.items()))
    sys.stdout.write(
        f"{sum(fell.values())} kills ({told}): nothing lost, nothing half there; {lessons} "
        "fine-tunings ended as one that nobody interrupted.\n"
    )
