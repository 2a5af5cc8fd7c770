"""What travels between a window and its worker: plain values, volumes and label maps.

A message is one JSON line; its arrays lie beside it in one ``.npz`` file, as they are far too
large for a line. Nothing is pickled.
"""

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cmcseg.core.card import table_from_dict
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.volume import Volume

Turned = TypeVar("Turned", Volume, LabelMap)


# How a damaged archive shows; a RuntimeError as well, where it asks for a password.
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, OverflowError)


@dataclass(frozen=True, kw_only=True, eq=False)
class Message:
    """A request to the worker, or its answer.

    Attributes:
        verb: what is asked for ("segment"); an answer repeats it.
        values: anything that JSON can hold.
        volumes: images by name.
        label_maps: label maps by name.
    """

    verb: str
    values: dict = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    label_maps: dict[str, LabelMap] = field(default_factory=dict)

    @property
    def has_arrays(self) -> bool:
        """Whether a file must travel beside the line."""
        return bool(self.volumes or self.label_maps)


def write_message(message: Message, path: Path) -> None:
    """Write a message into one ``.npz`` file.

    The arrays are stored as they are: they are read once, on the same machine, and compressing
    them would take longer than the network does.
    """
    head = {
        "verb": message.verb,
        "values": message.values,
        "volumes": {
            name: {"grid": volume.grid.to_dict(), "facts": volume.facts}
            for name, volume in message.volumes.items()
        },
        "label_maps": {
            name: {"grid": labels.grid.to_dict(), "table": asdict(labels.table)}
            for name, labels in message.label_maps.items()
        },
    }
    arrays: dict[str, Any] = {f"volume:{name}": v.array for name, v in message.volumes.items()}
    arrays |= {f"labels:{name}": labels.array for name, labels in message.label_maps.items()}
    text = np.frombuffer(json.dumps(head).encode("utf-8"), dtype=np.uint8)
    with path.open("wb") as file:
        np.savez(file, head=text, **arrays)


def read_message(path: Path) -> Message:
    """Inverse of ``write_message``.

    Raises:
        ValueError: when the file is not such a message, or holds anything but plain arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            head = json.loads(stored["head"].tobytes().decode("utf-8"))
            return Message(
                verb=head["verb"],
                values=head["values"],
                volumes={
                    name: Volume(
                        array=stored[f"volume:{name}"],
                        grid=Grid.from_dict(item["grid"]),
                        facts=item["facts"],
                    )
                    for name, item in head["volumes"].items()
                },
                label_maps={
                    name: LabelMap(
                        array=stored[f"labels:{name}"],
                        grid=Grid.from_dict(item["grid"]),
                        table=table_from_dict(item["table"]),
                    )
                    for name, item in head["label_maps"].items()
                },
            )
    except (LookupError, TypeError, OSError, EOFError, RuntimeError, *_DAMAGED) as error:
        raise ValueError(f"{path.name} is not a message: {error}.") from error


def prediction_to_message(prediction: Prediction, values: dict) -> Message:
    """A prediction, and whatever else an answer says, ready to travel.

    The label maps and doubts are laid out with i running fastest, as a window wants them: it has
    no time to turn them around.
    """
    facts = {
        name: getattr(prediction, name)
        for name in (
            *("model", "version", "sha256", "seconds", "device", "precision", "peak_mb"),
            "warnings",
        )
    }
    alignment = prediction.alignment.to_dict() if prediction.alignment else None
    doubt = {f"doubt {role}": _turned(volume) for role, volume in prediction.doubt.items()}
    gap = {
        f"disagreement {role}": _turned(volume) for role, volume in prediction.disagreement.items()
    }
    return Message(
        verb="segment",
        values={**values, "prediction": {**facts, "alignment": alignment}},
        volumes={**doubt, **gap},
        label_maps={role: _turned(labels) for role, labels in prediction.labels.items()},
    )


def prediction_from_message(message: Message) -> Prediction:
    """Inverse of ``prediction_to_message``."""
    facts = dict(message.values["prediction"])
    alignment = facts.pop("alignment")
    roles = message.label_maps
    return Prediction(
        **{**facts, "warnings": tuple(facts["warnings"])},
        alignment=Alignment.from_dict(alignment) if alignment else None,
        labels=dict(roles),
        doubt={role: message.volumes[f"doubt {role}"] for role in roles},
        disagreement={
            role: message.volumes[f"disagreement {role}"]
            for role in roles
            if f"disagreement {role}" in message.volumes
        },
    )


def _turned(item: Turned) -> Turned:
    return replace(item, array=np.asfortranarray(item.array))
