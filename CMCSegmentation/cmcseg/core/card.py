"""What a model promises: its inputs, its organs, its grid, its measured quality, its terms."""

from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

from cmcseg.core.errors import BadInput
from cmcseg.core.field_types import check_field_types
from cmcseg.core.labelmap import Code, Label, LabelTable
from cmcseg.core.scan_traits import ScanGroup

RESEARCH_USE = "Research use, not for diagnosis"
# What a working grid and a network may be: far beyond anything useful, and within any computer.
FINEST_MM, COARSEST_MM = 0.2, 20.0
MOST_WINDOW = 512**3  # voxels
TILT = 1e-3  # of axes, as a cosine
MOST_LEVELS, MOST_WIDTH, MOST_STEP = 8, 4096, 64
COARSEST_STEP = 4  # voxels that a coarse look takes together
WIDEST_FIT_MM = 50.0  # of the filter that fits borders
FORMAT = 1  # raised when an older program could misread a newer card


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """One scan that the model accepts.

    Attributes:
        role: short name used in commands and file names ("ct").
        title: what a clinician calls it ("CT").
        modality: DICOM modality ("CT", "MR").
        intensity: ``window`` (fixed limits) or ``standardise`` (percentiles, mean and deviation).
        window: lower and upper limit in the scan's units, for ``window``.
        keywords: words in a series description that suggest this role.
        brightest: for ``standardise``, what counts at most: so many times the body's 75th
            percentile above the darkest, so that one bright fluid does not darken all else; None
            for no such limit.
    """

    role: str
    title: str
    modality: str
    intensity: str
    window: tuple[float, float] | None = None
    keywords: tuple[str, ...] = ()
    brightest: float | None = None

    def __post_init__(self) -> None:
        if self.intensity not in ("window", "standardise"):
            raise ValueError(f"Intensity rule {self.intensity!r} is not known.")
        if (self.intensity == "window") != (self.window is not None):
            raise ValueError(f"Only the rule 'window' takes limits ({self.role}).")
        if self.window is not None and (
            len(self.window) != 2 or not self.window[0] < self.window[1]
        ):
            raise ValueError(f"The window {self.window} of {self.role} is empty.")
        if self.brightest is not None and not self.brightest > 1:
            raise ValueError(f"The limit {self.brightest} of {self.role} is not above 1.")


@dataclass(frozen=True, kw_only=True)
class GridSpec:
    """The working grid: where the network looks.

    Attributes:
        spacing: mm along the working axes.
        window: voxels of one sliding window.
        axes: 3 x 3, working axes as columns in RAS; unit vectors at right angles.
        follow_scan: turn the working axes to the scan's own nearest axes (thick slices keep
            their plane) instead of using ``axes`` as they are.
        tta_shifts: how often the windows are run, 1 or 2; the second time the patches that the
            network folds begin half a patch aside (test-time augmentation by a shift). Twice the
            time, for steadier borders.
        coarse: over how many voxels along each axis a first look at everything takes means, to find
            where the organs are; only that part is then looked at in full. (1, 1, 1): all of it is.
    """

    spacing: tuple[float, float, float]
    window: tuple[int, int, int]
    axes: tuple[tuple[float, float, float], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    follow_scan: bool = False
    tta_shifts: int = 1
    coarse: tuple[int, int, int] = (1, 1, 1)

    def __post_init__(self) -> None:
        if len(self.coarse) != 3 or not all(
            type(step) is int and 1 <= step <= COARSEST_STEP for step in self.coarse
        ):
            raise ValueError(
                f"A coarse look takes 1 to {COARSEST_STEP} voxels together along each of three "
                f"axes, not {self.coarse}."
            )
        if type(self.tta_shifts) is not int or self.tta_shifts not in (1, 2):
            raise ValueError(
                f"Windows are run once or twice, not {self.tta_shifts!r} times (tta_shifts)."
            )
        if not all(FINEST_MM <= step <= COARSEST_MM for step in self.spacing):
            raise ValueError(
                f"The spacing {self.spacing} of a working grid is outside {FINEST_MM} to "
                f"{COARSEST_MM:g} mm."
            )
        if min(self.window) < 1 or prod(self.window) > MOST_WINDOW:
            raise ValueError(f"The window {self.window} cannot be run.")
        if not _right_angled(self.axes):
            raise ValueError("The axes of a working grid must be unit vectors at right angles.")


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """How to build the network; the number of inputs and classes follows from the card.

    Attributes:
        encoder: which encoder ("residual", "sam_med3d", "universal_unet").
        fusion: which fusion layer ("concat", "attention").
        widths: feature channels per level, finest first.
        patch: voxels that the stem folds into one position along each axis.
        strides: per deeper level, the step along each axis.
        shared_kernels: one set of kernels for all modalities (norms are always per modality).
        awareness: with the modality-independent awareness (MIA) of every modality's channels.
    """

    encoder: str = "residual"
    fusion: str = "concat"
    widths: tuple[int, ...] = (32, 64, 128, 192)
    patch: tuple[int, int, int] = (2, 2, 2)
    strides: tuple[tuple[int, int, int], ...] = ((2, 2, 2), (2, 2, 2), (2, 2, 2))
    shared_kernels: bool = True
    awareness: bool = True

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.widths) - 1:
            raise ValueError("A network needs one stride fewer than widths.")
        steps = [step for fold in (self.patch, *self.strides) for step in fold]
        numbers = [(width, MOST_WIDTH) for width in self.widths]
        numbers += [(step, MOST_STEP) for step in steps]
        if not all(type(number) is int and 1 <= number <= most for number, most in numbers):
            raise ValueError("Widths, patch or strides of the network cannot be built.")
        if len(self.widths) > MOST_LEVELS:
            raise ValueError(f"A network has at most {MOST_LEVELS} levels.")

    @property
    def multiple(self) -> tuple[int, int, int]:
        """A window's shape must be a multiple of this."""
        i, j, k = (prod(lengths) for lengths in zip(self.patch, *self.strides, strict=True))
        return i, j, k


@dataclass(frozen=True, kw_only=True)
class CleaningRule:
    """What to tidy after the network, in this order.

    Attributes:
        joined: organs that touch each other, as the chambers of a heart do: all of them outside
            the largest piece of their union is dropped.
        largest: organs of which the largest piece is kept.
        fill_holes: organs whose enclosed holes are filled.
        borders_mm: all organs' borders are then fitted to the scan, by a guided filter of this
            radius (``predict.border_fit``); 0 leaves them where the working grid has them.
    """

    joined: tuple[str, ...] = ()
    largest: tuple[str, ...] = ()
    fill_holes: tuple[str, ...] = ()
    borders_mm: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.borders_mm <= WIDEST_FIT_MM:
            raise ValueError(
                f"Borders cannot be fitted within {self.borders_mm} mm; 0 to {WIDEST_FIT_MM} mm."
            )


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The contract of a bundle.

    Attributes:
        name: how commands call the model ("abdomen-ct-mr").
        title: how people call it ("Abdomen CT + MR").
        version: semantic version of the weights.
        description: one sentence.
        inputs: the scans it accepts, in the network's order; any may be left out.
        table: the organs it finds.
        grid, network, cleaning: how it works.
        sha256: of ``model.safetensors``.
        licence: terms of the weights, in words.
        intended_use: what it may be used for.
        trained_on: what it learned from.
        measured: mean Dice per role and organ on validation cases, and how it was measured.
        parent: SHA-256 of the model that it was fine-tuned from, else empty.
        history: what changed, newest last; each entry is a flat record.
        corrected: by role, the kinds of scans that corrections were made in. What was learned from
            them holds for scans like them; for others the kernels stay as they were before
            (``nets.domain_net``).
    """

    name: str
    title: str
    version: str
    description: str
    inputs: tuple[InputSpec, ...]
    table: LabelTable
    grid: GridSpec
    network: NetworkSpec
    cleaning: CleaningRule = CleaningRule()
    sha256: str = ""
    licence: str = ""
    intended_use: str = f"{RESEARCH_USE}."
    trained_on: str = ""
    measured: dict = field(default_factory=dict)
    parent: str = ""
    history: tuple[dict, ...] = ()
    corrected: dict[str, tuple[ScanGroup, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or not self.inputs:
            raise ValueError("A model card needs a name and at least one input.")
        if len(set(self.roles)) != len(self.roles):
            raise ValueError(f"Card {self.name} lists a role twice.")
        rule = self.cleaning
        tidied = {*rule.joined, *rule.largest, *rule.fill_holes}
        if strange := tidied - {label.name for label in self.table}:
            raise ValueError(
                f"Card {self.name} tidies {', '.join(sorted(strange))}, which its table lacks."
            )
        if any(w % m for w, m in zip(self.grid.window, self.network.multiple, strict=True)):
            raise ValueError(
                f"The window {self.grid.window} of {self.name} is not a multiple of "
                f"{self.network.multiple}, as its network needs."
            )
        if strange := set(self.corrected) - set(self.roles):
            raise ValueError(f"Card {self.name} was corrected in {', '.join(sorted(strange))}.")
        if self.corrected and self.network.shared_kernels and len(self.inputs) > 1:
            raise ValueError(f"The scans of {self.name} share kernels; one cannot have two sets.")
        if self.grid.tta_shifts > 1 and max(self.network.patch) == 1:
            raise ValueError(
                f"Card {self.name} runs its windows twice, but its network folds no patches: both "
                "runs would be the same."
            )

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles in the network's order."""
        return tuple(spec.role for spec in self.inputs)

    def input(self, role: str) -> InputSpec:
        """The specification of a role; raises BadInput that lists the roles there are."""
        for spec in self.inputs:
            if spec.role == role:
                return spec
        raise BadInput(
            f"The model {self.name} has no role {role!r}; its roles are {', '.join(self.roles)}."
        )

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return {"format": FORMAT, **asdict(self)}

    @staticmethod
    def from_dict(value: dict) -> "ModelCard":
        """Inverse of ``to_dict``.

        Raises:
            BadInput: when the dictionary is not a card that this program can read.
        """
        try:
            if value["format"] != FORMAT:
                raise BadInput(
                    f"This model card has format {value['format']}, this program reads {FORMAT}."
                )
            plain = {key: value[key] for key in _PLAIN if key in value}
            card = ModelCard(
                **plain,
                inputs=tuple(InputSpec(**_tuples(spec)) for spec in value["inputs"]),
                table=table_from_dict(value["table"]),
                grid=_grid(value["grid"]),
                network=NetworkSpec(**_tuples(value["network"])),
                cleaning=CleaningRule(**_tuples(value["cleaning"])),
                history=tuple(value.get("history", ())),
                corrected={
                    role: tuple(ScanGroup(**_tuples(group)) for group in groups)
                    for role, groups in value.get("corrected", {}).items()
                },
            )
            check_field_types(card)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise BadInput(f"This is not a model card: {str(error).rstrip('.')}.") from error
        return card


_PLAIN = (
    "name",
    "title",
    "version",
    "description",
    "sha256",
    "licence",
    "intended_use",
    "trained_on",
    "measured",
    "parent",
)


def table_from_dict(value: dict) -> LabelTable:
    """A label table from its JSON form (``dataclasses.asdict`` of the table)."""
    labels = []
    for item in value["labels"]:
        codes = {k: Code(**item[k]) for k in ("code", "category", "side") if item.get(k)}
        labels.append(Label(value=item["value"], name=item["name"], color=item["color"], **codes))
    mirrored = tuple(tuple(pair) for pair in value.get("mirrored", ()))
    return LabelTable(labels=tuple(labels), mirrored=mirrored)


def _grid(value: dict) -> GridSpec:
    """A working grid; cards up to abdomen 0.5.0 say ``looks`` for ``tta_shifts``."""
    plain = dict(value)
    if "looks" in plain:
        plain.setdefault("tta_shifts", plain.pop("looks"))
    return GridSpec(**_tuples(plain))


def _tuples(value: Any) -> Any:
    """JSON lists back to tuples, at any depth; dictionaries keep their keys."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


def _right_angled(axes: tuple[tuple[float, float, float], ...]) -> bool:
    pairs = [(one, other) for one in range(3) for other in range(3)]
    return [len(row) for row in axes] == [3, 3, 3] and all(
        abs(sum(row[one] * row[other] for row in axes) - (one == other)) < TILT
        for one, other in pairs
    )
