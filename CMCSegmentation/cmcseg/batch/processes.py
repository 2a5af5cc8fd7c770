"""Pairs on the processes of this computer."""

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from cmcseg.batch.task import Outcome, Task, carry_out

ENDED = "The process that worked on it ended, twice; its memory may have been too small."


class Processes:
    """Carries tasks out in so many processes, each with a warm model.

    A process that ends in the middle of its work takes nothing with it: what was in hand is done
    again, a pair at a time, and a pair during which that happens once more has failed.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def __call__(self, tasks: list[Task]) -> Iterator[Outcome]:
        """Outcomes as they come."""
        waiting = list(reversed(tasks))
        lost: list[Task] = []
        while waiting:
            yield from self._round(waiting, lost, self._jobs)
            for task in lost:
                alone: list[Task] = []
                yield from self._round([task], alone, 1)
                if alone:
                    yield Outcome(pair=task.pair, trouble=ENDED)
            lost.clear()

    def _round(self, waiting: list[Task], lost: list[Task], jobs: int) -> Iterator[Outcome]:
        """Work until nothing waits, or a process ends; what was in hand then is ``lost``."""
        hand: dict[Future, Task] = {}
        pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _deaf)
        try:
            while waiting or hand:
                # No more than the processes have: what waits here needs no second thought.
                while waiting and len(hand) < jobs:
                    task = waiting.pop()
                    hand[pool.submit(_heard, task)] = task
                done, _ = wait(hand, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    del hand[future]
                    yield outcome
        except BrokenProcessPool:
            lost += hand.values()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _deaf() -> None:
    """Between pairs a process does not hear Ctrl-C; the one that started it ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _heard(task: Task) -> Outcome:
    """Ctrl-C ends the pair in hand, and its draft goes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return carry_out(task)
    finally:
        _deaf()
