"""``cmcseg task new``: a folder of labelled scans into a task of one's own."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.table import Table
from tyro.conf import Positional, subcommand

from cmcseg.cli.console import ERRORS, SCREEN, bar
from cmcseg.core.card import RESEARCH_USE
from cmcseg.core.errors import BadInput
from cmcseg.core.task_file import REASONS
from cmcseg.core.user_path import user_path
from cmcseg.core.whole_folder import new_folder

TRIED = 2000  # steps of a usual training


@dataclass(frozen=True, kw_only=True)
class New:
    """Look at labelled scans and write a task for them, each value with its reason.

    The scans may be an nnU-Net raw data set, a Decathlon or MONAI list, or files whose names say
    case and role (01_ct.nii.gz, 01_ct_labels.nii.gz). One role is as good as several.
    """

    folder: Positional[Path]
    """The data set's folder, or its JSON list."""
    out: Path
    """Folder for task.json, which may be edited, and cohort.json."""
    name: str = ""
    """How commands will call the task's models; after the data set when left out."""
    roles: tuple[str, ...] = ()
    """Names of the roles; for files, the words in their names."""
    labels: tuple[str, ...] = ()
    """Names of the values in the label maps, as in 7=liver, where the data set has none."""
    ignore: int | None = None
    """The value of voxels that nobody looked at."""
    unpaired: bool = False
    """Files with equal names in two roles are two patients."""
    validation: float = 0.2
    """Share of the labelled cases that is kept back, where the data set does not say."""
    widths: tuple[int, ...] = (32, 64, 128, 192)
    """Feature channels per level of the network; smaller ones learn faster, and less."""
    licence: str = ""
    """Terms of the data; the models will carry them."""
    no_trial: bool = False
    """Do not try what a step costs on this machine."""

    def run(self) -> None:
        """Look, decide, write, say."""
        from cmcseg.bundle.verify import check_name
        from cmcseg.data.decide import decide
        from cmcseg.data.fingerprint import fingerprint
        from cmcseg.data.new_task import (
            COHORT,
            TASK,
            cohort_content,
            look_at,
            own_names,
            task_name,
        )

        if not 0 <= self.validation < 1:
            raise BadInput(f"The share {self.validation} to keep back is not from 0 to below 1.")
        data = look_at(self.folder, self.roles, unpaired=self.unpaired)
        name = check_name(self.name or task_name(data))
        if (there := user_path(self.out) / TASK).exists():
            raise BadInput(
                f"{there} is there already, and may have been edited; give another --out."
            )
        named = {**data.names, **own_names(self.labels)}
        data = _with(data, named, self.ignore)
        with bar() as report:
            found = fingerprint(data, report)
        if strange := sorted(set(found.organs) - set(named)):
            numbers = ", ".join(map(str, strange))
            _note(
                f"No name is given for {numbers} in the label maps; each is an organ of its own, "
                f"called 'label {strange[0]}' and so on. --labels {strange[0]}=NAME names it."
            )
        try:
            task = decide(found, name, data.names, widths=self.widths)
        except ValueError as error:
            raise BadInput(str(error)) from error
        content, why = cohort_content(data, task, self.validation)
        reasons = {**task.reasons, "validation": why}
        card = {**task.card.to_dict(), "licence": self.licence}
        known = {"format", "name", "title", "version", "description", "inputs", "table", "grid"}
        known |= {"network", "cleaning", "licence"}
        with new_folder(self.out) as draft:
            written = {key: value for key, value in card.items() if key in known}
            _write(draft / TASK, {**written, REASONS: reasons})
            _write(draft / COHORT, content)
        for note in data.notes:
            _note(note)
        _tell(data, found, task, reasons)
        if not self.no_trial:
            self._try(task.card)
        SCREEN.print(
            f"Next: cmcseg train {_recipe(found)} --cohort {self.out / COHORT} --out "
            f"{self.out / 'run'}",
            soft_wrap=True,
        )

    def _try(self, card) -> None:  # noqa: ANN001
        from cmcseg.learn.cost import step_cost

        cost = step_cost(card)
        SCREEN.print(
            f"A step takes about {cost.seconds:.2g} s here ({cost.device}), so {TRIED} steps of "
            f"the recipe supervised about {cost.minutes(TRIED):.0f} minutes, of best three to "
            f"five times as many; {cost.parameters / 1e6:.1f} million weights. {RESEARCH_USE}.",
            soft_wrap=True,
        )


@dataclass(frozen=True, kw_only=True)
class Check:
    """Say whether a cohort and its task can be used, before anything is prepared."""

    cohort: Positional[Path]
    """The cohort.json."""

    def run(self) -> None:
        """Read both."""
        from cmcseg.bundle.tasks import cohort_card
        from cmcseg.bundle.verify import check_name
        from cmcseg.data.cohort import read_cohort, read_datalist

        path = user_path(self.cohort)
        card = cohort_card(read_datalist(path), path)
        check_name(card.name)
        cohort = read_cohort(path, card)
        SCREEN.print(
            f"{card.name}: {len(card.table)} organs in {', '.join(card.roles)}; "
            f"{len(cohort.train)} training and {len(cohort.validation)} validation cases.",
            soft_wrap=True,
            markup=False,
        )


@dataclass(frozen=True, kw_only=True)
class Task:
    """Make a task of one's own from labelled scans, or check one that was edited."""

    verb: Annotated[New, subcommand("new")] | Annotated[Check, subcommand("check")]

    def run(self) -> None:
        """Run the chosen verb."""
        self.verb.run()


def _with(data, names: dict[int, str], ignore: int | None):  # noqa: ANN001, ANN202
    from dataclasses import replace

    unannotated = data.unannotated if ignore is None else ignore
    return replace(data, names=names, unannotated=unannotated)


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _recipe(found) -> str:  # noqa: ANN001
    """``best`` where scans without labels are there to learn from."""
    bare = any(facts.labelled < facts.scans for facts in found.roles.values())
    return "best" if bare else "supervised"


def _note(sentence: str) -> None:
    ERRORS.print(f"Note: {sentence}", soft_wrap=True, markup=False)


def _tell(data, found, task, reasons: dict[str, str]) -> None:  # noqa: ANN001
    counts = ", ".join(
        f"{facts.scans} {role} ({facts.labelled} labelled)" for role, facts in found.roles.items()
    )
    SCREEN.print(f"{data.name}: {data.layout}; {counts}.", soft_wrap=True, markup=False)
    values = asdict(task.card)
    show = Table("key", "value", "because")
    for key, why in reasons.items():
        show.add_row(key, _value(values, key), why)
    SCREEN.print(show)


def _value(values: dict, key: str) -> str:
    """The value of a dotted key, short."""
    first, _, rest = key.partition(".")
    if first == "inputs":
        role = rest.partition(".")[0]
        spec = next(spec for spec in values["inputs"] if spec["role"] == role)
        return spec["intensity"] + (f" {spec['window']}" if spec["window"] else "")
    if key == "table":
        return ", ".join(f"{label['value']} {label['name']}" for label in values["table"]["labels"])
    part = values.get(first, "")
    return str(part.get(rest, "") if isinstance(part, dict) else part)
