"""Run the network; when memory runs out, go on more modestly and say so."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from cmcseg.bundle.load import Bundle
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.progress import Report, ignore
from cmcseg.nets.device import free_memory, ran_out
from cmcseg.nets.sliding_window import sliding_window

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """One way to run the network.

    Attributes:
        run_on: where the windows run.
        stitch_on: where the probabilities are gathered.
        window: shape of a window.
        words: what is more modest about it; empty for the first way.
    """

    run_on: torch.device
    stitch_on: torch.device
    window: tuple[int, int, int]
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the network said, and how it was run.

    Attributes:
        scores: ``(K, I, J, K')`` class probabilities per role.
        device: where the windows ran.
        notes: a sentence when memory was too small for the first way.
    """

    scores: dict[str, np.ndarray]
    device: torch.device
    notes: tuple[str, ...]


def probabilities(
    bundle: Bundle,
    images: dict[str, np.ndarray],
    seen: dict[str, np.ndarray],
    trust: float,
    device: torch.device,
    overlap: float,
    report: Report = ignore,
    *,
    give_in: bool = True,
) -> Found:
    """Class probabilities of every scan, on the first fallback that memory suffices for.

    Args:
        bundle: the model; its network moves to the device that did the work.
        images: normalised ``(I, J, K')`` per role, on the working grid.
        seen: field of view per role, on the same grid.
        trust: confidence of the alignment, 0 to 1.
        device: where to try first.
        overlap: share by which neighbouring windows overlap.
        report: told after every window; on a lower fallback the stage says so and starts from 0.
        give_in: whether to go on with a lower fallback at all.

    Raises:
        BadInput: when no fallback's memory suffices, or that of the first when it is the only one.
    """
    index = {role: bundle.card.roles.index(role) for role in images}
    for fallback in fallbacks(bundle.card, device):
        try:
            found = sliding_window(
                bundle.network.to(fallback.run_on),
                {index[role]: image for role, image in images.items()},
                bundle.card,
                trust,
                fallback.run_on,
                seen={index[role]: mask for role, mask in seen.items()},
                window=fallback.window,
                overlap=overlap,
                stitch_on=fallback.stitch_on,
                report=_named(report, fallback),
            )
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if not give_in:
                raise BadInput(_stopped(device)) from error
        else:
            scores = {role: found[index[role]] for role in images}
            return Found(scores=scores, device=fallback.run_on, notes=_notes(fallback, device))
        # Here, not in the handler: there the failed call still holds its tensors.
        free_memory(fallback.run_on)
    raise BadInput("Even the CPU has too little memory for these scans; close other programs.")


def fallbacks(card: ModelCard, device: torch.device) -> Iterator[Fallback]:
    """Ways to run the card's network, the most modest last."""
    steps = zip(card.grid.window, card.network.multiple, strict=True)
    half = tuple(max(m, w // 2 // m * m) for w, m in steps)
    small = "smaller windows"
    yield Fallback(run_on=device, stitch_on=device, window=card.grid.window)
    yield Fallback(run_on=device, stitch_on=device, window=half, words=small)
    if device != CPU:
        modest = f"{small}, stitched on the CPU,"
        yield Fallback(run_on=device, stitch_on=CPU, window=half, words=modest)
        yield Fallback(run_on=CPU, stitch_on=CPU, window=card.grid.window, words="the CPU")
        yield Fallback(run_on=CPU, stitch_on=CPU, window=half, words=f"the CPU with {small}")


def _notes(fallback: Fallback, device: torch.device) -> tuple[str, ...]:
    if not fallback.words:
        return ()
    return (f"The memory of {device} was too small; {fallback.words} did the work instead.",)


def _stopped(device: torch.device) -> str:
    other = "" if device == CPU else "choose the cpu, "
    return (
        f"The memory of {device} is too small for these scans, and it was asked to stop then; "
        f"allow smaller steps, {other}or close other programs."
    )


def _named(report: Report, fallback: Fallback) -> Report:
    if not fallback.words:
        return report
    words = fallback.words.rstrip(",")
    return lambda p: report(replace(p, stage=f"{p.stage} again: memory was short, now {words}"))
