"""A task as its own file: a model card whose plain parts may be left out.

{"name": "spleen-ct", "inputs": [{"role": "ct", "intensity": "window", "window": [-125, 275]}],
"table": {"labels": [{"value": 1, "name": "spleen"}]},
"grid": {"spacing": [3, 3, 3], "window": [96, 96, 64]}}
"""

import colorsys
from dataclasses import fields
from typing import Any

from cmcseg.core.card import FORMAT, CleaningRule, GridSpec, InputSpec, ModelCard, NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import Code, Label, LabelTable

REASONS = "reasons"  # for people: why each value was chosen
_PARTS: dict[str, type] = {
    "inputs": InputSpec,
    "table": LabelTable,
    "labels": Label,
    "grid": GridSpec,
    "network": NetworkSpec,
    "cleaning": CleaningRule,
    "code": Code,
    "category": Code,
    "side": Code,
}
_NEEDED: dict[type, tuple[str, ...]] = {
    ModelCard: ("name", "inputs", "table", "grid"),
    InputSpec: ("role",),
    LabelTable: ("labels",),
    Label: ("value", "name"),
    GridSpec: ("spacing", "window"),
}
_MORE: dict[type, tuple[str, ...]] = {ModelCard: ("format", REASONS), GridSpec: ("looks",)}


def task_from_dict(value: object) -> ModelCard:
    """The card that a task's file describes.

    Raises:
        BadInput: naming every key that is unknown or missing, or the value that cannot be used.
    """
    if not isinstance(value, dict):
        raise BadInput("A task must be a JSON object with the keys name, inputs, table and grid.")
    if wrong := list(_wrong(value, ModelCard, "")):
        raise BadInput(f"{'; '.join(wrong)}. docs/own-task.md lists every key.")
    return ModelCard.from_dict(_filled(value))


def spread_color(place: int) -> str:
    """Colours far apart in hue, however many: steps of the golden ratio."""
    red, green, blue = colorsys.hls_to_rgb(place * 0.618034 % 1, 0.52, 0.62)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))


def _wrong(value: Any, kind: type, where: str):  # noqa: ANN202
    """What is unknown or missing, with the path of its key."""
    known = {field.name for field in fields(kind)} | {*_MORE.get(kind, ())}
    if not isinstance(value, dict):
        yield f"{where.rstrip('.')} must be an object with {', '.join(_NEEDED.get(kind, known))}"
        return
    for key in sorted(set(value) - known):
        yield f"the key {where}{key} is unknown (known here: {', '.join(sorted(known))})"
    for key in _NEEDED.get(kind, ()):
        if key not in value:
            yield f"the key {where}{key} is missing"
    for key, part in _PARTS.items():
        inner = value.get(key) if key in known else None
        several = key in ("inputs", "labels")
        if several and key in value and not isinstance(inner, list):
            yield f"{where}{key} must be a list"
        elif several and inner is not None:
            for number, each in enumerate(inner):
                yield from _wrong(each, part, f"{where}{key}[{number}].")
        elif inner is not None:
            yield from _wrong(inner, part, f"{where}{key}.")


def _filled(value: dict) -> dict:
    """With what was left out."""
    inputs = [
        {
            "title": spec["role"],
            "modality": "CT" if "window" in spec else "MR",
            "intensity": "window" if spec.get("window") else "standardise",
            **spec,
        }
        for spec in value["inputs"]
    ]
    labels = [
        {"color": spread_color(place), **label}
        for place, label in enumerate(value["table"]["labels"], 1)
    ]
    return {
        "format": FORMAT,
        "title": value["name"],
        "version": "0.1.0",
        "description": "",
        "network": {},
        "cleaning": {},
        **{key: part for key, part in value.items() if key != REASONS},
        "inputs": inputs,
        "table": {**value["table"], "labels": labels},
    }
