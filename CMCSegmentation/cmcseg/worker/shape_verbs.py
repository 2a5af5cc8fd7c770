"""Sums over the shape of an organ, as a worker does them."""

import numpy as np

from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.progress import Report
from cmcseg.worker.model_cache import ModelCache


def fill_between(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Fill the empty slices of the organ ``value``; other organs keep what is theirs."""
    from cmcseg.imaging.between import filled_between

    labels, value = request.label_maps["labels"], request.values["value"]
    filled = filled_between(labels.array == value, labels.grid.spacing)
    array = np.where(filled & (labels.array == 0), np.uint8(value), labels.array)
    answer = LabelMap(array=array, grid=labels.grid, table=labels.table)
    return Message(verb="fill-between", label_maps={"labels": answer})
