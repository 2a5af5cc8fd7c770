"""``cmcseg segment``: one scan, or two scans of one patient."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table
from tyro.conf import Positional

from cmcseg.cli.console import SCREEN, bar, checked
from cmcseg.core.errors import BadInput
from cmcseg.core.user_path import user_path
from cmcseg.core.volume import Volume
from cmcseg.core.whole_folder import check_folder, new_folder


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Segment one scan, or two scans of one patient."""

    scans: Positional[tuple[str, ...]]
    """ROLE=PATH, a file or a DICOM folder, once per scan (ct=a.nii.gz mr=b.nii.gz); ct=FOLDER#2
    is the second stack of slices that the folder holds."""
    model: str
    """Name of a model (see 'cmcseg models list') or its folder."""
    out: Path
    """Folder for the results."""
    align: str = "auto"
    """auto, none or rigid."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    out_of_memory: str = "smaller"
    """smaller: go on with smaller steps; stop: end there and say so."""
    json: bool = False
    """Print prediction.json's content and nothing else."""

    def run(self) -> None:
        """Read, segment, write."""
        from cmcseg.bundle.ensemble import load_model
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.imaging.files import read_volume
        from cmcseg.imaging.role_checks import name_warnings
        from cmcseg.predict.segment import segment
        from cmcseg.predict.write import REPORT, former_files, seg_warnings, write_prediction
        from cmcseg.report.organ_table import organ_rows
        from cmcseg.report.page import write_report

        settings = checked(
            SegmentSettings,
            align=self.align,
            device=self.device,
            out_of_memory=self.out_of_memory,
        )
        bundle = load_model(default_store(), self.model)
        paths = _paths_by_role(self.scans, bundle.card.roles)
        out = user_path(self.out)
        check_folder(out)
        former = former_files(out, tuple(paths))
        volumes = {role: read_volume(path) for role, path in paths.items()}
        notes = [*_reading_notes(volumes), *seg_warnings(bundle.card.table, paths)]
        if not self.json:
            _show(notes)  # before a minute of computing
        with bar(quiet=self.json) as report:
            prediction = segment(volumes, bundle, settings, report)
        names = {role: path.name for role, path in paths.items()}
        known = (*notes, *name_warnings(names, bundle.card), *prediction.warnings)
        prediction = replace(prediction, warnings=known)
        with new_folder(out, former) as draft:
            summary = write_prediction(prediction, volumes, paths, draft)
            write_report(
                draft / REPORT,
                card=bundle.card,
                volumes=volumes,
                prediction=prediction,
                scans=names,
            )
        if self.json:
            print(json.dumps(summary, indent=1))
            return
        roles = [role for role in bundle.card.roles if role in volumes]
        _show_organs(roles, organ_rows(bundle.card, prediction, {}))
        if prediction.alignment:
            SCREEN.print(prediction.alignment.sentence(), soft_wrap=True, highlight=False)
        _show([warning for warning in summary["warnings"] if warning not in notes])
        SCREEN.print(f"Report: {out / REPORT}", soft_wrap=True)


def _reading_notes(volumes: dict[str, Volume]) -> list[str]:
    """What the user should know of how each scan was read."""
    notes = {role: volume.facts.get("note", "") for role, volume in volumes.items()}
    return [f"{role}: {note}" for role, note in notes.items() if note]


def _show(notes: list[str]) -> None:
    for note in notes:
        SCREEN.print(f"Note: {note}", soft_wrap=True, markup=False)


def _paths_by_role(scans: tuple[str, ...], roles: tuple[str, ...]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for text in scans:
        role, equals, path = text.partition("=")
        if not equals or not path:
            raise BadInput(f"{text!r} is not of the form ROLE=PATH, as in {roles[0]}=scan.nii.gz.")
        if role not in roles:
            raise BadInput(f"There is no role {role!r}; the roles are {', '.join(roles)}.")
        if role in paths:
            raise BadInput(f"The role {role} was given twice.")
        # The shell expands ~ at the start of a word only, not after ROLE=.
        place = user_path(path)
        if any(place.resolve() == other.resolve() for other in paths.values()):
            raise BadInput(f"{path} was given for two roles; give two scans, or one.")
        paths[role] = place
    return paths


def _show_organs(roles: list[str], rows: list) -> None:
    """The report's own table: volumes, where the scan cuts them off, and the doubt."""
    show = Table("organ", *(f"{role} mL" for role in roles), "doubt", "remark")
    for row in rows:
        cells = (f"{cell.text}{' (cut)' if cell.is_cut else ''}" for cell in row.cells)
        show.add_row(row.name, *cells, row.doubt, row.remark)
    SCREEN.print(show)
    if any(cell.is_cut for row in rows for cell in row.cells):
        SCREEN.print("(cut): the organ reaches the scan's edge, so this is the volume of a part.")
