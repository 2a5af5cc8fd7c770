"""A result in a zip archive: label maps, ``.seg.nrrd``, DICOM SEG, table and report."""

import csv
import tempfile
import zipfile
from pathlib import Path

from cmcseg.core.atomic_write import atomic_path
from cmcseg.core.errors import BadInput
from cmcseg.core.messages import Message, prediction_from_message
from cmcseg.core.organ_findings import organ_findings
from cmcseg.core.prediction import Prediction
from cmcseg.core.progress import Progress, Report
from cmcseg.worker.model_cache import ModelCache


def export(request: Message, cache: ModelCache, report: Report) -> Message:
    """Write the prediction that came along, and its scans' report, into the archive ``path``."""
    from cmcseg.predict.write import write_prediction
    from cmcseg.report.page import write_report

    report(Progress(stage="writing the files", done=0, total=2))
    values = request.values
    names = values["scans"]
    prediction = prediction_from_message(request)
    volumes = {role: request.volumes[f"scan {role}"] for role in names}
    sources = {role: Path(path) for role, path in values["sources"].items()}
    target = Path(values["path"])
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as place:
            folder = Path(place)
            write_prediction(prediction, volumes, sources, folder)
            _write_table(prediction, folder / "volumes.csv")
            card = cache.store.card(prediction.model)
            write_report(
                folder / "report.html",
                card=card,
                volumes=volumes,
                prediction=prediction,
                scans=names,
            )
            report(Progress(stage="packing", done=1, total=2))
            with atomic_path(target) as draft, zipfile.ZipFile(draft, "w") as archive:
                for file in sorted(folder.iterdir()):
                    packed = file.name.endswith(".gz")
                    how = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                    archive.write(file, file.name, how)
    except OSError as error:
        raise BadInput(f"The files cannot be written ({error.strerror}); make room.") from error
    return Message(verb="export", values={"path": str(target)})


def _write_table(prediction: Prediction, path: Path) -> None:
    """One line per scan and organ."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("scan", "organ", "ml", "cut", "doubt"))
        for role in prediction.labels:
            for organ, found in organ_findings(prediction, role).items():
                rows.writerow((role, organ, f"{found.ml:.3f}", int(found.is_cut), found.doubt))
