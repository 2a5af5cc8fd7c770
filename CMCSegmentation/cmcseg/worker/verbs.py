"""What can be asked of a worker. Torch is imported by the verbs that need it, when they need it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cmcseg.bundle.tasks import named_task, tasks_without_model
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.messages import Message, prediction_from_message, prediction_to_message
from cmcseg.core.progress import Progress, Report
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.slug import slug
from cmcseg.worker.case_verbs import sample, thumbnail
from cmcseg.worker.eta import Eta, expected
from cmcseg.worker.learn_verbs import adopt_run, finetune, look_at_both, roll_back, versions
from cmcseg.worker.mark_verbs import look, propose
from cmcseg.worker.model_cache import ModelCache
from cmcseg.worker.queue_verbs import (
    queue_add,
    queue_export,
    queue_list,
    queue_next,
    queue_open,
    queue_pair,
    queue_remove,
    queue_restore,
)
from cmcseg.worker.reading_verbs import read_scan, series_stacks
from cmcseg.worker.result_archive import export
from cmcseg.worker.shape_verbs import fill_between

# Two scans whose surrounding spheres are further apart are refused before anything runs; nearer
# ones may have been repositioned on the table, which only the registration can tell.
FAR_MM = 100.0
ALIKE = 1.5  # factor between the voxels of two pairs that take about as long

Verb = Callable[[Message, ModelCache, Report], Message]


def models(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """The cards of all models at hand; one that is damaged, or hides another, is told."""
    store = cache.store
    cards, damaged = store.cards()
    values = {
        "cards": [card.to_dict() for card in cards],
        "damaged": [*store.in_place_of_shipped(), *damaged],
        "own": list(store.own()),
        "tasks": tasks_without_model(store),
        "folders": {name: str(store.find(name)) for name in store.names()},
    }
    return Message(verb="models", values=values)


def import_model(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Take over a model from ``source``, a folder or a zip archive."""
    folder = cache.store.import_(Path(request.values["source"]))
    return Message(verb="import-model", values={"name": folder.name})


def extend_model(request: Message, cache: ModelCache, report: Report) -> Message:
    """Make a model of the user's own that has room for one ``organ`` more."""
    from cmcseg.bundle.extend import extend

    report(Progress(stage="making room for the organ", done=0, total=1))
    model, organ = request.values["model"], request.values["organ"].strip()
    card = extend(cache.store, model, organ, f"{model}-{slug(organ)}")
    return Message(verb="extend-model", values={"name": card.name})


def begin_model(request: Message, cache: ModelCache, report: Report) -> Message:
    """Make an untrained model of a ``task``: a name, or the path of a file."""
    from cmcseg.bundle.begin import begin

    report(Progress(stage="beginning the model", done=0, total=1))
    card, _ = begin(cache.store, named_task(request.values["task"], Path.cwd()))
    return Message(verb="begin-model", values={"name": card.name})


def remove_model(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """Delete a model that was imported."""
    cache.store.remove(request.values["model"])
    return Message(verb="remove-model", values={"name": request.values["model"]})


def warm_up(request: Message, cache: ModelCache, report: Report) -> Message:
    """Load torch and a model, so that the next segmentation starts at once."""
    from cmcseg.nets.device import pick_device

    report(Progress(stage="loading the model", done=0, total=1))
    bundle = cache.bundle(request.values["model"])
    device = pick_device(request.values["device"])
    bundle.network.to(device)
    return Message(verb="warm-up", values={"device": str(device)})


def describe(request: Message, cache: ModelCache, report: Report) -> Message:  # noqa: ARG001
    """How two scans lie to each other by their headers alone, and whether that rules them out."""
    from cmcseg.imaging.align import describe

    fixed, moving = (Grid.from_dict(grid) for grid in request.values["grids"])
    titles = request.values["titles"]
    placement = describe(fixed, moving)
    refusal = ""
    reach = sum(float(np.linalg.norm(grid.extent)) / 2 for grid in (fixed, moving))
    if placement.centers_mm - reach > FAR_MM:
        refusal = (
            f"The {titles[1]} does not overlap the {titles[0]} (centres "
            f"{placement.centers_mm:.0f} mm apart). Are they the same patient?"
        )
    values = {"sentence": placement.sentence(), "refusal": refusal}
    return Message(verb="describe", values=values)


def segment(request: Message, cache: ModelCache, report: Report) -> Message:
    """Segment the scans that came along, by role."""
    from cmcseg.predict.segment import segment

    try:
        settings = SegmentSettings(**request.values["settings"])
    except ValueError as error:
        raise BadInput(str(error)) from error
    name = request.values["model"]
    report(Progress(stage="loading the model", done=0, total=1))
    bundle = cache.bundle(name)
    # What the stages took tells about scans of that size alone.
    size = sum(volume.array.size for volume in request.volumes.values())
    before, seconds = cache.seconds.get(name, (0, {}))
    if not before / ALIKE < size < before * ALIKE:
        seconds = expected(request.volumes, bundle.card)
    prediction = segment(request.volumes, bundle, settings, Eta(report, seconds))
    cache.seconds[name] = (size, prediction.seconds)
    return prediction_to_message(prediction, {})


def report_page(request: Message, cache: ModelCache, report: Report) -> Message:
    """Write the HTML report of a prediction that came along with its scans."""
    from cmcseg.report.page import write_report

    report(Progress(stage="writing the report", done=0, total=1))
    names = request.values["scans"]
    volumes = {role: request.volumes[f"scan {role}"] for role in names}
    prediction = prediction_from_message(request)
    path = Path(request.values["path"])
    card = cache.store.card(prediction.model)
    write_report(path, card=card, volumes=volumes, prediction=prediction, scans=names)
    return Message(verb="report", values={"path": str(path)})


VERBS: dict[str, Verb] = {
    "models": models,
    "import-model": import_model,
    "extend-model": extend_model,
    "begin-model": begin_model,
    "remove-model": remove_model,
    "warm-up": warm_up,
    "describe": describe,
    "segment": segment,
    "look": look,
    "propose": propose,
    "fill-between": fill_between,
    "report": report_page,
    "export": export,
    "queue-add": queue_add,
    "queue-list": queue_list,
    "queue-next": queue_next,
    "queue-pair": queue_pair,
    "queue-open": queue_open,
    "queue-export": queue_export,
    "queue-remove": queue_remove,
    "queue-restore": queue_restore,
    "finetune": finetune,
    "look-at-both": look_at_both,
    "adopt": adopt_run,
    "rollback": roll_back,
    "history": versions,
    "sample": sample,
    "series-stacks": series_stacks,
    "read-scan": read_scan,
    "thumbnail": thumbnail,
}
