"""Work on the shape of an organ as it is drawn, done by the worker."""

from collections.abc import Callable

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.session.i18n import _
from cmcseg.session.pen import part_of
from cmcseg.session.ports import Listener
from cmcseg.session.review import ReviewSession

Box = tuple[slice, slice, slice]


def fill_between(review: ReviewSession, role: str, organ: str) -> None:
    """Fill the slices that an organ misses between drawn ones; can be undone.

    Other organs keep what is theirs. ``review.changed`` or ``review.failed`` follows.

    Raises:
        BadInput: when there is no such scan or organ, or the last step is not finished.
    """
    runner = review.runner

    def work(drawn: LabelMap, then: Callable, failed: Callable[[str, str], object]) -> None:
        value = drawn.table.named(organ).value

        def ask(box: Box) -> None:
            array = np.ascontiguousarray(drawn.array[box])
            part = LabelMap(array=array, grid=part_of(drawn.grid, box), table=drawn.table)
            request = Message(
                verb="fill-between", values={"value": value}, label_maps={"labels": part}
            )
            listener = Listener(
                finished=lambda answer: put_back(box, answer.label_maps["labels"].array),
                failed=failed,
                cancelled=lambda: failed(_("It was stopped."), ""),
            )
            runner.start(request, listener)

        def put_back(box: Box, found: np.ndarray) -> None:
            runner.aside(lambda: {organ: _whole(drawn, box, found, value)}, then, failed)

        runner.aside(lambda: _gaps(drawn, organ), ask, failed)

    review.rework(role, work, organ)


def _gaps(drawn: LabelMap, organ: str) -> Box:
    """The box that holds an organ.

    Raises:
        BadInput: when no slice of it is missing in any direction.
    """
    mask = drawn.array == drawn.table.named(organ).value
    there = [mask.any(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    ends = [np.flatnonzero(side)[[0, -1]] if side.any() else (0, -1) for side in there]
    i, j, k = (slice(int(first), int(last) + 1) for first, last in ends)
    if all(side[part].all() for side, part in zip(there, (i, j, k), strict=True)):
        sentence = _(
            "The {organ} misses no slice between drawn ones; erase it in some, or draw it in two "
            "that lie apart."
        )
        raise BadInput(sentence.format(organ=organ))
    return i, j, k


def _whole(drawn: LabelMap, box: Box, found: np.ndarray, value: int) -> np.ndarray:
    mask = np.zeros(drawn.array.shape, dtype=bool, order="F")
    mask[box] = found == value
    return mask
