"""Pairs on a Ray cluster: many computers, and their GPUs.

Ray (https://docs.ray.io) starts the processes, keeps them warm, and does a task again elsewhere
when a computer is lost. All of them must see the scans, the model and the folder of results under
the same paths.
"""

import socket
from collections.abc import Iterator

from cmcseg.batch.task import Outcome, Task, carry_out, known_outcome
from cmcseg.core.errors import BadInput

AGAIN = 5  # times that a task may lose its computer
PATIENCE = 5.0  # seconds for an address to answer
AHEAD = 2  # tasks for every processor that Ray is told of before the first has ended


class Cluster:
    """Carries tasks out on the cluster at an address.

    Args:
        address: ``auto``, ``HOST:PORT``, ``ray://HOST:PORT``, or ``local`` to start one here.
        cpus: processors that a pair takes.
        gpus: GPUs that a pair takes; a half lets two pairs share one.

    Raises:
        BadInput: when Ray is not installed, or nobody answers at the address.
    """

    def __init__(self, address: str, cpus: int, gpus: float) -> None:
        _check(address)
        try:
            import ray
        except ImportError as error:
            raise BadInput("Ray is not installed; pip install 'cmcseg[ray]'.") from error
        try:
            if not ray.is_initialized():
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # Ray has many ways to say so
            raise BadInput(_silent(address, error)) from error
        self._ray = ray
        self._remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=AGAIN)(_once)
        self._cpus, self._gpus = cpus, gpus

    def __call__(self, tasks: list[Task]) -> Iterator[Outcome]:
        """Outcomes as they come."""
        ray, waiting = self._ray, list(reversed(tasks))
        hand: dict = {}
        try:
            while waiting or hand:
                there = ray.cluster_resources()
                if there.get("CPU", 0) < self._cpus or there.get("GPU", 0) < self._gpus:
                    raise BadInput(
                        f"A pair takes {self._cpus} processors and {self._gpus:g} GPUs, but the "
                        f"cluster has {there.get('CPU', 0):g} and {there.get('GPU', 0):g}."
                    )
                while waiting and len(hand) < AHEAD * max(1, int(there["CPU"] // self._cpus)):
                    task = waiting.pop()
                    hand[self._remote.remote(task)] = task
                done, _ = ray.wait(list(hand), num_returns=1, timeout=5.0)
                for reference in done:
                    task = hand.pop(reference)
                    yield self._outcome(reference, task)
        finally:
            for reference in hand:
                ray.cancel(reference, force=True)

    def _outcome(self, reference: object, task: Task) -> Outcome:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Outcome(
                pair=task.pair, trouble=f"Its computer was lost: {type(error).__name__}."
            )


def _check(address: str) -> None:
    """Refuse an address at which nobody listens; Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise BadInput(_silent(address, error)) from error


def _silent(address: str, error: Exception) -> str:
    why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return f"No Ray cluster answers at {address} ({why})."


def _once(task: Task) -> Outcome:
    """A computer may be lost after the last file was written and before that was told."""
    return known_outcome(task) or carry_out(task)
