"""The command: one small class per verb; its fields are the options, its docstring the help.

Exit codes: 0 done, 2 what was given cannot be used, 1 our fault.
"""

import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from tyro.conf import FlagCreatePairsOff, Positional, subcommand

from cmcseg import __version__
from cmcseg.core.errors import BadInput, Cancelled, CMCSegError
from cmcseg.core.progress import Progress, Report, ignore

ERRORS = Console(stderr=True)
SCREEN = Console()


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Segment one scan, or two scans of one patient."""

    scans: Positional[tuple[str, ...]]
    """ROLE=PATH, a file or a DICOM folder, once per scan (ct=a.nii.gz mr=b.nii.gz)."""
    model: str
    """Name of a model (see 'cmcseg models list') or its folder."""
    out: Path
    """Folder for the results."""
    align: str = "auto"
    """auto, none or rigid."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    json: bool = False
    """Print prediction.json's content and nothing else."""

    def run(self) -> None:
        """Read, segment, write."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.imaging.files import read_volume
        from cmcseg.predict.segment import segment
        from cmcseg.predict.write import write_prediction
        from cmcseg.report.page import write_report

        settings = _checked(SegmentSettings, align=self.align, device=self.device)
        bundle = load_bundle(default_store().find(self.model))
        paths = _paths_by_role(self.scans, bundle.card.roles)
        volumes = {role: read_volume(path) for role, path in paths.items()}
        with _bar(quiet=self.json) as report:
            prediction = segment(volumes, bundle, settings, report)
        with _new_folder(self.out) as draft:
            summary = write_prediction(prediction, volumes, paths, draft)
            names = {role: path.name for role, path in paths.items()}
            write_report(
                draft / "report.html",
                card=bundle.card,
                volumes=volumes,
                prediction=prediction,
                scans=names,
            )
        if self.json:
            print(json.dumps(summary, indent=1))
            return
        _show_volumes(summary)
        SCREEN.print(f"Report: {self.out / 'report.html'}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Write a synthetic pair with its truth, to try things on."""

    folder: Positional[Path]
    """Where ROLE.nii.gz and ROLE_truth.nii.gz go."""
    task: str = "abdomen"
    """abdomen or heart."""
    seed: int = 0
    """Another number is another phantom."""
    shift: float = 0.0
    """How far the second scan is moved, in mm."""

    def run(self) -> None:
        """Render and write."""
        from cmcseg.bundle.store import task_card
        from cmcseg.data.synthesis import make_pair
        from cmcseg.imaging.files import write_label_map, write_volume

        pair = make_pair(self.task, task_card(self.task).table, seed=self.seed, shift_mm=self.shift)
        with _new_folder(self.folder) as draft:
            for role, scan in pair.items():
                write_volume(scan.volume, draft / f"{role}.nii.gz")
                write_label_map(scan.truth, draft / f"{role}_truth.nii.gz")
        SCREEN.print(f"Wrote {' and '.join(pair)} to {self.folder}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Read a cohort once into a cache that training starts from."""

    cohort: Positional[Path]
    """A JSON datalist with a key per role; 'task' names the task."""
    out: Path
    """The cache's folder; it must not exist."""

    def run(self) -> None:
        """Read, normalise, resample, write."""
        from cmcseg.bundle.store import task_card
        from cmcseg.data.cohort import read_cohort, read_datalist
        from cmcseg.data.prepare import prepare

        card = task_card(str(read_datalist(self.cohort).get("task", "")))
        with _bar() as report:
            cache = prepare(read_cohort(self.cohort, card), card, self.out, report)
        SCREEN.print(f"{len(cache.scans)} scans in {self.out}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model from a cache; the same command goes on after an interruption."""

    recipe: Positional[str]
    """supervised."""
    cache: Path
    """Made by 'cmcseg prepare'."""
    out: Path
    """Folder of the run: checkpoint, losses.csv, scores.csv, and model/ at the end."""
    steps: int = 2000
    """Weight updates in all."""
    seed: int = 0
    """Decides initial weights, crops and augmentation."""
    labelled: float = 1.0
    """Share of the training scans whose labels are used."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""

    def run(self) -> None:
        """Train and write a bundle."""
        from cmcseg.bundle.pack import save_bundle
        from cmcseg.core.settings import TrainSettings
        from cmcseg.data.cache import open_cache
        from cmcseg.learn.loop import fit

        if self.recipe != "supervised":
            raise BadInput(f"The recipe {self.recipe!r} is not known; there is supervised.")
        settings = _checked(
            TrainSettings,
            steps=self.steps,
            seed=self.seed,
            labelled=self.labelled,
            device=self.device,
        )
        cache = open_cache(self.cache)
        with _bar() as report:
            state = fit(cache, settings, self.out, report=report)
        save_bundle(state.average, cache.card, self.out / "model", replace=True)
        SCREEN.print(f"Model: {self.out / 'model'}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Dice per organ and case on a cohort's validation cases, each scan on its own grid."""

    model: str
    """Name of a model or its folder."""
    cohort: Path
    """A JSON datalist; its 'validation' cases are scored."""
    out: Path
    """Folder for scores.csv."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def run(self) -> None:
        """Segment every scan alone and score it."""
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings
        from cmcseg.data.cohort import read_cohort
        from cmcseg.imaging.files import atomic_path, read_label_map, read_volume
        from cmcseg.learn.scores import dice
        from cmcseg.predict.segment import segment

        bundle = load_bundle(default_store().find(self.model))
        cohort = read_cohort(self.cohort, bundle.card)
        settings = _checked(SegmentSettings, device=self.device)
        rows = []
        for pair in cohort.validation:
            for role, scan in pair.scans.items():
                if scan.labels is None:
                    continue
                truth = read_label_map(scan.labels, cohort.table, cohort.unannotated)
                found = segment({role: read_volume(scan.image)}, bundle, settings).labels[role]
                for label in cohort.table:
                    score = dice(found.array, truth.array, label.value)
                    rows.append((pair.id, role, label.name, score))
                    SCREEN.print(f"{pair.id} {role} {label.name}: {score:.3f}")
        if not rows:
            raise BadInput(f"The cohort {self.cohort} has no labelled validation case.")
        self.out.mkdir(parents=True, exist_ok=True)
        lines = ["case,role,organ,dice", *(f"{c},{r},{o},{d:.4f}" for c, r, o, d in rows)]
        with atomic_path(self.out / "scores.csv") as draft:
            draft.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class ListModels:
    """List the models."""

    json: bool = False
    """Print the cards as JSON."""

    def run(self) -> None:
        """Print a line per model."""
        from cmcseg.bundle.store import default_store

        store = default_store()
        cards = [store.card(name) for name in store.names()]
        if self.json:
            print(json.dumps([card.to_dict() for card in cards], indent=1))
            return
        for card in cards:
            organs = ", ".join(label.name for label in card.table)
            SCREEN.print(f"{card.name} {card.version}: {organs}. {card.intended_use}")


@dataclass(frozen=True, kw_only=True)
class ImportModel:
    """Import a model from a folder or a zip; every member is checked first."""

    source: Positional[Path]
    """The folder or zip."""

    def run(self) -> None:
        """Check, then copy."""
        from cmcseg.bundle.store import default_store

        SCREEN.print(f"Imported {default_store().import_(self.source).name}")


@dataclass(frozen=True, kw_only=True)
class ExportModel:
    """Export a model as a zip."""

    name: Positional[str]
    """Which model."""
    out: Positional[Path]
    """The zip."""

    def run(self) -> None:
        """Write the zip."""
        from cmcseg.bundle.store import default_store

        SCREEN.print(f"Wrote {default_store().export(self.name, self.out)}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class RemoveModel:
    """Remove an imported model."""

    name: Positional[str]
    """Which model."""

    def run(self) -> None:
        """Remove its folder."""
        from cmcseg.bundle.store import default_store

        default_store().remove(self.name)
        SCREEN.print(f"Removed {self.name}")


@dataclass(frozen=True, kw_only=True)
class Models:
    """List, import, export or remove models."""

    verb: (
        Annotated[ListModels, subcommand("list")]
        | Annotated[ImportModel, subcommand("import")]
        | Annotated[ExportModel, subcommand("export")]
        | Annotated[RemoveModel, subcommand("remove")]
    )

    def run(self) -> None:
        """Run the chosen verb."""
        self.verb.run()


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check Python, torch, device, memory and models."""

    def run(self) -> None:
        """Print a line per check; exit 1 when a model is damaged."""
        import psutil
        import torch

        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.nets.device import pick_device

        store = default_store()
        SCREEN.print(f"cmcseg {__version__}, Python {platform.python_version()}")
        SCREEN.print(f"torch {torch.__version__}, device {pick_device('auto')}")
        memory = psutil.virtual_memory()
        SCREEN.print(
            f"memory {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
        )
        for name in store.names():
            load_bundle(store.find(name))
            SCREEN.print(f"model {name}: verified")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Make a synthetic misaligned pair, segment it, compare with its truth."""

    folder: Positional[Path] = Path("demo")
    """Where everything goes; it is made anew."""

    def run(self) -> None:
        """Sample, segment, score."""
        from cmcseg.bundle.store import task_card
        from cmcseg.imaging.files import read_label_map
        from cmcseg.learn.scores import dice

        table = task_card("abdomen").table
        pair, result = self.folder / "pair", self.folder / "result"
        Sample(folder=pair, seed=1, shift=8.0).run()
        scans = (f"ct={pair / 'ct.nii.gz'}", f"mr={pair / 'mr.nii.gz'}")
        Segment(scans=scans, model="abdomen-ct-mr", out=result).run()
        show = Table("organ", "CT Dice", "MR Dice", title="Agreement with the phantom's truth")
        maps = {
            (role, kind): read_label_map(path, table)
            for role in ("ct", "mr")
            for kind, path in (
                ("truth", pair / f"{role}_truth.nii.gz"),
                ("found", result / f"{role}_labels.nii.gz"),
            )
        }
        for label in table:
            scores = [
                dice(maps[role, "found"].array, maps[role, "truth"].array, label.value)
                for role in ("ct", "mr")
            ]
            show.add_row(label.name, *(f"{score:.3f}" for score in scores))
        SCREEN.print(show)
        SCREEN.print(f"Report: {result / 'report.html'}", soft_wrap=True)


Command = (
    Annotated[Segment, subcommand("segment")]
    | Annotated[Sample, subcommand("sample")]
    | Annotated[Prepare, subcommand("prepare")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[Demo, subcommand("demo")]
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"cmcseg {__version__}")
        return
    command = tyro.cli(
        Command,
        prog="cmcseg",
        args=arguments,
        description="Segment misaligned pairs of scans. Research use, not for diagnosis.",
        config=(FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        command.run()
    except BadInput as error:
        _fail(str(error), 2)
    except (Cancelled, KeyboardInterrupt):
        _fail("Cancelled; nothing was left half-written.", 1)
    except CMCSegError as error:
        _fail(str(error), 1)


def _fail(sentence: str, code: int) -> None:
    ERRORS.print(sentence, style="red", soft_wrap=True, markup=False, highlight=False)
    raise SystemExit(code)


def _checked(settings: type, **values):  # noqa: ANN003, ANN202
    """Settings, with a refused value told as bad input."""
    try:
        return settings(**values)
    except ValueError as error:
        raise BadInput(str(error)) from error


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
        if any(Path(path).resolve() == other.resolve() for other in paths.values()):
            raise BadInput(f"{path} was given for two roles; give two scans, or one.")
        paths[role] = Path(path)
    return paths


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A draft whose files move into ``folder`` when all went well; else nothing is left."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    try:
        yield draft
        folder.mkdir(exist_ok=True)
        for path in draft.iterdir():
            path.replace(folder / path.name)
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _bar(*, quiet: bool = False) -> Iterator[Report]:
    """A progress bar on the terminal's error stream."""
    if quiet:
        yield ignore
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Bar(*columns, TimeRemainingColumn(), console=ERRORS) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(progress: Progress) -> None:
            bar.update(task, description=progress.stage, completed=progress.fraction)

        yield report


def _show_volumes(summary: dict) -> None:
    roles = list(summary["volumes_ml"])
    show = Table("organ", *(f"{role} mL" for role in roles))
    for organ in summary["volumes_ml"][roles[0]]:
        show.add_row(organ, *(f"{summary['volumes_ml'][role][organ]:.0f}" for role in roles))
    SCREEN.print(show)
    for warning in summary["warnings"]:
        SCREEN.print(f"Note: {warning}", soft_wrap=True)
