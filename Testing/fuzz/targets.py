"""Everything that reads what nobody vouches for: a seed, and a call that may only say BadInput."""

import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from cmcseg.bundle.store import task_card
from cmcseg.core.card import ModelCard
from cmcseg.core.errors import BadInput
from cmcseg.core.file_kinds import is_dicom
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.data.cohort import read_cohort
from cmcseg.imaging.files import read_label_map, read_volume, write_volume
from cmcseg.imaging.seg_nrrd import write_seg_nrrd
from dicom_phantom import write_series

SHAPE = (6, 5, 4)
GRID = Grid(shape=SHAPE, affine=np.diag([-2.0, -2.0, 3.0, 1.0]))
CARD = task_card("abdomen")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One reader.

    Attributes:
        make: makes whole inputs to begin with; only when they are asked for, as some take long.
        ask: reads one input; whatever it raises is a fault.
    """

    make: Callable[[], tuple[bytes, ...]]
    ask: Callable[[bytes], None]

    @cached_property
    def seeds(self) -> tuple[bytes, ...]:
        """Whole inputs to begin with."""
        return self.make()


def _refused(error: BadInput) -> None:
    """A refusal is right unless memory was asked for before the header was looked at."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, MemoryError) or "allocat" in str(cause):
            raise error
        cause = cause.__cause__


def _voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)


def _written(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_volume(Volume(array=_voxels(), grid=GRID), path)
        return path.read_bytes()


def _segmentation() -> bytes:
    labels = (np.arange(120) % 5).reshape(SHAPE).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.seg.nrrd"
        write_seg_nrrd(LabelMap(array=labels, grid=GRID, table=CARD.table), path, "a")
        return path.read_bytes()


@cache
def _slices() -> list[bytes]:
    """Three sound slices of one series."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_series(Path(folder), _voxels()[..., :3], GRID.affine)
        return [file.read_bytes() for file in files]


def _reading(name: str, prepare: Callable[[bytes], bytes] = bytes) -> Callable[[bytes], None]:
    def ask(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(prepare(data))
            try:
                if name.endswith(".seg.nrrd"):
                    read_label_map(path, CARD.table, on=GRID)
                else:
                    read_volume(path)
            except BadInput as error:
                _refused(error)

    return ask


def _ask_dicom(data: bytes) -> None:
    """One slice of a series is the fuzzer's, the others are sound."""
    with tempfile.TemporaryDirectory() as folder:
        for number, slice_ in enumerate(_slices()[1:]):
            (Path(folder) / f"b{number}").write_bytes(slice_)
        (Path(folder) / "a").write_bytes(data)
        for path in (Path(folder), Path(folder) / "a"):
            try:
                read_volume(path)
            except BadInput as error:
                _refused(error)


def _ask_zip(data: bytes) -> None:
    from cmcseg.web.uploads import unfold  # needs the browser's packages

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "a.zip"
        archive.write_bytes(data)
        (into := Path(folder) / "in").mkdir()
        try:
            unfold(archive, into)
        except (BadInput, OSError):  # whoever unfolds tells of the disk
            return


def _ask_datalist(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ct.nii.gz").touch()
        path = Path(folder) / "list.json"
        path.write_bytes(data)
        try:
            read_cohort(path, CARD)
        except BadInput as error:
            _refused(error)


def _ask_card(data: bytes) -> None:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return  # the stores read JSON by a function of their own
    try:
        ModelCard.from_dict(content)
    except BadInput as error:
        _refused(error)


def _ask_first_bytes(data: bytes) -> None:
    """All that the server itself looks at of a file that is dropped on its page."""
    from cmcseg.web.uploads import looks_like_scan  # needs the browser's packages

    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.nii.gz", "a.nii", "a.nrrd", "a.mha", "IM1"):
            path = Path(folder) / name
            path.write_bytes(data)
            looks_like_scan(path)
            is_dicom(path)
            zipfile.is_zipfile(path)


def _ask_websocket(data: bytes) -> None:
    """A message in two pieces: whatever comes is a call, or nothing."""
    from cmcseg.web.calls import BoundedMessages, is_call

    messages = BoundedMessages()
    for piece in (data[: len(data) // 2], data[len(data) // 2 :], data):
        call = messages.process_chunk(piece)
        if call is not None and not is_call(call):
            raise ValueError(f"{call!r} was taken for a call")


def _ask_model(data: bytes) -> None:
    from cmcseg.bundle.verify import read_zip, verify  # with torch, which takes seconds

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "a.zip"
        archive.write_bytes(data)
        try:
            verify(read_zip(archive), "a.zip")
        except BadInput as error:
            _refused(error)


def _call() -> bytes:
    """A call as wslink sends it: number, offset and size of the message, and MessagePack."""
    words = b"\x83\xa2id\xa5rpc:1\xa6method\xafexample.of.call\xa4args\x91\x81\xa1a\xcb" + bytes(8)
    return b"".join(n.to_bytes(4, "little") for n in (1, 0, len(words))) + words


def _model() -> bytes:
    """A model whose weights are cut off: all but those is looked at."""
    from tiny import tiny_bundle

    out = io.BytesIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        whole = tiny_bundle(Path(folder) / "m")
        for file in sorted(path for path in whole.rglob("*") if path.is_file()):
            most = None if file.suffix == ".json" else 500
            archive.writestr(str(file.relative_to(folder)), file.read_bytes()[:most])
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scan/a.nii", _written("a.nii"))
        archive.writestr("scan/IM1", _slices()[0])
    return out.getvalue()


def _datalist() -> bytes:
    case = {"id": "a", "ct": "ct.nii.gz", "ct_labels": "ct.nii.gz", "ct_organs": ["liver"]}
    labels = {"1": "liver", "2": "spleen"}
    content = {"name": "a", "unannotated": 255, "labels": labels, "training": [case]}
    return json.dumps(content).encode()


TARGETS = {
    "nifti": Target(make=lambda: (_written("a.nii"),), ask=_reading("a.nii")),
    "nifti_gz": Target(make=lambda: (_written("a.nii"),), ask=_reading("a.nii.gz", gzip.compress)),
    "nrrd": Target(make=lambda: (_written("a.nrrd"),), ask=_reading("a.nrrd")),
    "seg_nrrd": Target(make=lambda: (_segmentation(),), ask=_reading("a.seg.nrrd")),
    "meta": Target(make=lambda: (_written("a.mha"),), ask=_reading("a.mha")),
    "dicom": Target(make=lambda: (_slices()[0],), ask=_ask_dicom),
    "zip": Target(make=lambda: (_zip(),), ask=_ask_zip),
    "datalist": Target(make=lambda: (_datalist(),), ask=_ask_datalist),
    "first_bytes": Target(
        make=lambda: (_zip(), _written("a.nii"), _slices()[0]), ask=_ask_first_bytes
    ),
    "websocket": Target(make=lambda: (_call(),), ask=_ask_websocket),
    "model_zip": Target(make=lambda: (_model(),), ask=_ask_model),
    "card": Target(make=lambda: (json.dumps(CARD.to_dict()).encode(),), ask=_ask_card),
}
