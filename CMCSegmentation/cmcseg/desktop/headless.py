"""Segmenting from a script: no panel, the same sessions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import slicer
from slicer.i18n import tr as _

from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.settings import SegmentSettings
from cmcseg.desktop.interpreter import python, wait
from cmcseg.mrml.scene import MrmlScene
from cmcseg.session.batch import Batch, BatchItem, pairs_of
from cmcseg.session.process_runner import ProcessRunner
from cmcseg.session.segment import SegmentSession


def segment(nodes: dict, model: str, settings: SegmentSettings, timeout: float) -> dict[str, str]:
    """Segment the volume nodes by role; key of the segmentation by role.

    Raises:
        CMCSegError: with one sentence saying why there is no result.
    """
    with _desk(model, timeout) as (session, until):
        for role in nodes.keys() - set(session.card.roles):
            session.card.input(role)  # says which roles there are
        for role in session.card.roles:
            node = nodes.get(role)
            session.set_scan(role, node.GetID() if node else "")
        session.segment(settings)
        until(lambda: session.result)
        return session.result.segmentations


def segment_scene(model: str, settings: SegmentSettings, timeout: float) -> list[BatchItem]:
    """Segment all pairs of the scene, patient by patient; one that fails stops no other.

    Raises:
        CMCSegError: when there is no such model, or no scan for it.
    """
    with _desk(model, timeout) as (session, until):
        return _batch(session, until, pairs_of(session.scans(), session.card), settings)


def segment_studies(
    studies: list[str], model: str, settings: SegmentSettings, timeout: float
) -> list[BatchItem]:
    """Load studies of Slicer's DICOM database and segment the pair of each.

    Args:
        studies: study instance UIDs.
        model, settings, timeout: as above.

    Raises:
        CMCSegError: when there is no such study or model, or no scan for it.
    """
    from DICOMLib import DICOMUtils
    from slicer import dicomDatabase  # there once the DICOM module has opened it

    series = {study: list(dicomDatabase.seriesForStudy(study)) for study in studies}
    for study, found in series.items():
        if not found:
            words = _("There is no study {} in Slicer's DICOM database; import it first.")
            raise BadInput(words.format(study))
    loaded = [set(DICOMUtils.loadSeriesByUID(found)) for found in series.values()]
    with _desk(model, timeout) as (session, until):
        pairs = []
        for keys in loaded:
            scans = tuple(scan for scan in session.scans() if scan.key in keys)
            pairs += pairs_of(scans, session.card)
        return _batch(session, until, pairs, settings)


def _batch(
    session: SegmentSession,
    until: Callable,
    pairs: list[dict[str, str]],
    settings: SegmentSettings,
) -> list[BatchItem]:
    batch, ended = Batch(session.scene, session.runner), []
    batch.finished.connect(ended.append)
    batch.start(pairs, session.card, settings)
    until(lambda: ended)
    return ended[0]


@contextmanager
def _desk(model: str, timeout: float) -> Iterator[tuple[SegmentSession, Callable]]:
    """A session with the model chosen, and a function that waits; nothing stays behind."""
    runner, scene = ProcessRunner(python()), MrmlScene(slicer.mrmlScene)
    session = SegmentSession(scene, runner)
    troubles: list[str] = []
    session.failed.connect(lambda sentence, log: troubles.append(f"{sentence} {log}".strip()))

    def until(holds: Callable[[], object]) -> None:
        wait(lambda: bool(troubles or holds()), timeout, runner.pump)
        if troubles:
            raise CMCSegError(troubles[0])

    try:
        session.models.load(select=model)
        until(lambda: session.models.cards)
        session.choose_model(model)
        yield session, until
    finally:
        session.close()
        scene.close()
        runner.close()
