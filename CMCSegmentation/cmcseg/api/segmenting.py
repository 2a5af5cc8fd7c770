"""``cmcseg.segment``: scans in, label maps out, in the axes in which the scans came."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cmcseg.api.arrays import Scan, volumes_of
from cmcseg.bundle.ensemble import load_model
from cmcseg.bundle.load import Bundle
from cmcseg.bundle.store import default_store
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.progress import Report, ignore
from cmcseg.core.settings import SegmentSettings
from cmcseg.core.user_path import user_path
from cmcseg.core.volume import Volume
from cmcseg.imaging.files import write_label_map
from cmcseg.predict.segment import segment as segment_volumes
from cmcseg.report.notebook import as_html


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation:
    """What was found; in a notebook it shows itself.

    Attributes:
        card: of the model.
        scans: as they were read.
        prediction: all that is known of the finding.
    """

    card: ModelCard
    scans: dict[str, Volume]
    prediction: Prediction

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """By role, ``(I, J, K)`` uint8 on the voxels of the scan, in its own axes."""
        return {role: found.array for role, found in self.prediction.labels.items()}

    @property
    def doubt(self) -> dict[str, np.ndarray]:
        """By role, how unsure the model is of every voxel, 0 to 1."""
        return {role: found.array for role, found in self.prediction.doubt.items()}

    @property
    def organs(self) -> dict[int, str]:
        """What the values mean."""
        return {label.value: label.name for label in self.card.table}

    @property
    def volumes_ml(self) -> dict[str, dict[str, float]]:
        """Millilitres by role and organ."""
        return {role: found.volumes_ml() for role, found in self.prediction.labels.items()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences to read before the result is used."""
        return self.prediction.warnings

    @property
    def alignment(self) -> Alignment | None:
        """How the scans lie to each other; None for one scan."""
        return self.prediction.alignment

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``ROLE_labels.nii.gz`` for every scan; returns the files.

        Raises:
            BadInput: when the folder cannot be written.
        """
        place = user_path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The folder {place} cannot be written: {error.strerror}.") from error
        files = []
        for role, found in self.prediction.labels.items():
            files.append(place / f"{role}_labels.nii.gz")
            write_label_map(found, files[-1])
        return files

    def _repr_html_(self) -> str:
        return as_html(self.card, self.scans, self.prediction)


def segment(
    scans: Mapping[str, Scan],
    model: str | Path,
    *,
    spacing: Any = None,
    axes: Any = "",
    affine: Any = None,
    align: str = "auto",
    device: str = "auto",
    report: Report = ignore,
) -> Segmentation:
    """Segment one scan, or two scans of one patient.

    Args:
        scans: by role, each a file, a DICOM folder or a three-dimensional array.
        model: name of a model, its folder, or that of a run with folds.
        spacing: of arrays, mm along their axes; one for all, or by role.
        axes: of arrays, where the index grows to along each axis ("LPS"); one for all, or by role.
        affine: of arrays, voxel index to RAS in mm, in place of both.
        align: ``auto``, ``none`` or ``rigid``. Arrays given by spacing and axes share their middle.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        report: told how far it is.

    Raises:
        BadInput: when an array comes without its orientation, or anything else cannot be used.
    """
    bundle = _loaded(str(model))
    for role in scans:
        bundle.card.input(role)
    volumes = volumes_of(scans, spacing=spacing, axes=axes, affine=affine)
    try:
        settings = SegmentSettings(align=align, device=device)
    except ValueError as error:
        raise BadInput(str(error)) from error
    prediction = segment_volumes(volumes, bundle, settings, report)
    return Segmentation(card=bundle.card, scans=volumes, prediction=prediction)


def _loaded(model: str) -> Bundle:
    """The model; that of the last call stays in memory until its weights change."""
    store = default_store()
    place = store.find(model) if model in store.names() else user_path(model)
    weights = place / "model.safetensors"
    stamp = weights.stat().st_mtime_ns if weights.exists() else 0
    return _kept(model, str(place), stamp)


@lru_cache(maxsize=1)
def _kept(model: str, place: str, stamp: int) -> Bundle:  # noqa: ARG001
    return load_model(default_store(), model)
