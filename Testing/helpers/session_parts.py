"""A model card, and a worker within the test: what the tests of the sessions share."""

from dataclasses import replace

import numpy as np
from cmcseg.core.card import GridSpec, InputSpec, ModelCard, NetworkSpec
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message, prediction_to_message
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.progress import Progress
from cmcseg.core.volume import Volume
from cmcseg.worker.reading_verbs import read_scan, series_stacks
from cmcseg.worker.shape_verbs import fill_between
from mrml_scene import TABLE, by_value

CARD = ModelCard(
    name="tiny",
    title="Tiny",
    version="0.1.0",
    description="Two balls.",
    inputs=(
        InputSpec(
            role="ct",
            title="CT",
            modality="CT",
            intensity="window",
            window=(-125, 275),
            keywords=("ct", "venous"),
        ),
        InputSpec(
            role="mr", title="MR", modality="MR", intensity="standardise", keywords=("t2", "spir")
        ),
    ),
    table=TABLE,
    grid=GridSpec(spacing=(2, 2, 2), window=(16, 16, 16)),
    network=NetworkSpec(widths=(4, 8), strides=((2, 2, 2),)),
    sha256="ab" * 32,
)

NO_MORE = {"damaged": [], "own": [], "folders": {}, "tasks": {}}  # what else a list of models says


def alignment(matrix=None):
    """How the MR lies to the CT."""
    return Alignment(
        fixed="ct",
        moving="mr",
        matrix=np.eye(4) if matrix is None else matrix,
        method="header",
        similarity=1.2,
        confidence=0.9,
        overlap=0.8,
        shift_mm=0,
        angle_deg=0,
        tilt_deg=7,
        centers_mm=12,
    )


def predicted(volumes, matrix=None):
    """What the model that looks at numbers alone finds, with doubt at one corner of the liver."""
    labels, doubt = {}, {}
    for role, volume in volumes.items():
        found = by_value(volume.array)
        unsure = np.full(volume.grid.shape, 0.05, np.float32)
        world = np.argwhere(found == 1)
        if len(world):
            top = world[world[:, 2].argmax()]
            box = tuple(slice(max(0, at - 3), at + 3) for at in top)
            unsure[box] = 0.9
        labels[role] = LabelMap(array=found, grid=volume.grid, table=TABLE)
        doubt[role] = Volume(array=unsure, grid=volume.grid)
    return Prediction(
        labels=labels,
        doubt=doubt,
        model=CARD.name,
        version=CARD.version,
        sha256=CARD.sha256,
        alignment=alignment(matrix) if len(volumes) == 2 else None,
        device="cpu",
    )


def version(name, sha256, parent="", in_use=False):
    """A line of a model's history."""
    facts = {"name": name, "version": "0.1.0", "sha256": sha256, "parent": parent}
    return {**facts, "in_use": in_use, "change": {}, "damage": ""}


class Worker:
    """Answers as the worker does; remembers what was asked.

    Attributes:
        asked: messages, oldest first.
        during: called once in the middle of a segmentation.
        matrix: of the alignment that it finds.
        apart: refusal of ``describe``.
        verdict: of a fine-tuning.
        history: of the model.
    """

    def __init__(self):
        self.asked, self.during, self.matrix, self.apart = [], None, None, ""
        self.cards = [CARD]
        self.verdict = {"verdict": "adopt", "organs": {}, "reason": "better", "sha256": "ef" * 32}
        self.history = [version("base", CARD.sha256, in_use=True)]

    def __call__(self, request, report):
        self.asked.append(request)
        values = request.values
        if request.verb == "models":
            own = [card.name for card in self.cards if card.name != CARD.name]
            cards = [card.to_dict() for card in self.cards]
            return Message(verb="models", values={**NO_MORE, "cards": cards, "own": own})
        if request.verb == "import-model":
            self.cards = [CARD, replace(CARD, name="other", title="Other")]
            return Message(verb="import-model", values={"name": "other"})
        if request.verb == "remove-model":
            self.cards = [CARD]
            return Message(verb="remove-model", values={"name": values["model"]})
        if request.verb == "describe":
            sentence = "Centres 12 mm apart, 84 % shared view, 7 degrees tilted."
            return Message(verb="describe", values={"sentence": sentence, "refusal": self.apart})
        if request.verb == "segment":
            report(Progress(stage="segmenting", done=1, total=2, seconds_left=8.0))
            if self.during:
                self.during()
            report(Progress(stage="segmenting", done=2, total=2))
            return prediction_to_message(predicted(request.volumes, self.matrix), {})
        if request.verb == "queue-add":
            return Message(verb="queue-add", values={"id": "pair-1.r1"})
        if request.verb == "queue-list":
            row = {"id": "pair-1.r1", "pair": "pair-1", "at": "2026-01-01T00:00:00+00:00"}
            return Message(verb="queue-list", values={"entries": [row], "new": 1})
        own = {"fill-between": fill_between, "series-stacks": series_stacks, "read-scan": read_scan}
        if request.verb in own:
            return own[request.verb](request, None, report)
        if request.verb == "history":
            return Message(verb="history", values={"history": self.history})
        if request.verb == "finetune":
            for step in (1, 2):
                report(Progress(stage="learning", done=step, total=2, measures={"loss": 1 / step}))
            return Message(verb="finetune", values={"run": "/runs/1", "verdict": self.verdict})
        if request.verb == "adopt" and "beside" in values:
            return Message(
                verb="adopt", values={"beside": "t", "title": f"Tiny, {values['beside']}"}
            )
        return Message(verb=request.verb, values=values)
