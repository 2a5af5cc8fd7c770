"""Datalists of the heart's scans, with what another style would teach left out.

    python bench/cohorts.py DATA OUT [--acdc]

DATA is the folder with `splits.json`. `OUT/heart.json` is for `cmcseg prepare`: the home hospital's
labels and scribbles; `unlabelled` pairs; and `myops`, whose annotators counted papillary muscles as
wall and left slices out. Of these, `OUT/labels` holds copies of the labels in which the rim between
cavity and wall, and the background of slices that show no right ventricle, count as not annotated.
Their bSSFP is unlabelled where the same patient's is labelled in the home style. `--acdc` adds
`acdc.correct`, without the first and last slice that its own rule of base and apex decides.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

RV, WALL, CAVITY, UNANNOTATED = 1, 2, 3, 4  # 4 is what the home scribbles use
RIM_MM = 2.5  # on either side of the border between cavity and wall
CLOSING_MM = 8.0  # papillary muscles within the cavity are closed over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--acdc", action="store_true")
    options = parser.parse_args()
    heart, out = options.data.resolve() / "heart", options.out.resolve()
    splits = json.loads((options.data / "splits.json").read_text(encoding="utf-8"))["heart"]
    (out / "labels").mkdir(parents=True, exist_ok=True)
    train = splits["train"]
    training = [home(heart, n, lge="labels") for n in train["dense_both"]]
    training += [home(heart, n, lge="scribbles") for n in train["dense_bssfp_scribbled_lge"]]
    training += [home(heart, n, bssfp=None, lge="labels") for n in train["dense_lge_alone"]]
    drawn = {*train["dense_both"], *train["dense_bssfp_scribbled_lge"]}
    training += [myops(heart, n, out, known=n in drawn) for n in splits["myops"]]
    training += [pair(heart / "unlabelled", n, f"u{n}") for n in splits["unlabelled"]]
    if options.acdc:
        training += [acdc(heart, n, out) for n in splits["acdc"]["correct"]]
    cohort = {
        "name": "heart" + ("-acdc" if options.acdc else ""),
        "task": "heart",
        "unannotated": UNANNOTATED,
        "training": training,
        "validation": [home(heart, n, lge="labels") for n in splits["validation"]["dense_both"]],
    }
    (out / "heart.json").write_text(json.dumps(cohort, indent=1), encoding="utf-8")


def pair(folder: Path, number: str, name: str) -> dict:
    """Both scans of a subject, without labels."""
    scans = {role: str(folder / "images" / f"{number}_{role}.nii.gz") for role in ("bssfp", "lge")}
    return {"id": name, **scans}


def home(heart: Path, number: str, *, bssfp: str | None = "labels", lge: str) -> dict:
    entry = pair(heart, number, number)
    for role, kind in (("bssfp", bssfp), ("lge", lge)):
        if kind is None:
            del entry[role]
        else:
            entry[f"{role}_{kind}"] = str(heart / kind / f"{number}_{role}.nii.gz")
    return entry


def myops(heart: Path, number: str, out: Path, *, known: bool) -> dict:
    truth = sitk.ReadImage(str(heart / "myops" / "labels" / f"{number}.nii.gz"))
    path = out / "labels" / f"myops_{number}.nii.gz"
    _write(np.stack([_without_style(x, truth) for x in sitk.GetArrayFromImage(truth)]), truth, path)
    entry = pair(heart / "myops", number, f"m{number}")
    roles = ("lge",) if known else ("bssfp", "lge")
    return entry | {f"{role}_labels": str(path) for role in roles}


def acdc(heart: Path, number: str, out: Path) -> dict:
    truth = sitk.ReadImage(str(heart / "acdc" / "labels" / f"{number}.nii.gz"))
    labels = sitk.GetArrayFromImage(truth)
    drawn = np.flatnonzero(labels.any(axis=(1, 2)))
    # What lies beyond the first and last drawn slice is this hospital's own rule.
    for k in (drawn[0] - 1, drawn[-1] + 1):
        if 0 <= k < len(labels):
            labels[k] = UNANNOTATED
    path = out / "labels" / f"acdc_{number}.nii.gz"
    _write(labels, truth, path)
    image = heart / "acdc" / "images" / f"{number}_bssfp.nii.gz"
    return {"id": f"a{number}", "bssfp": str(image), "bssfp_labels": str(path)}


def _without_style(labels_JI: np.ndarray, truth: sitk.Image) -> np.ndarray:
    """One slice, 4 where this annotator's habit, not the anatomy, decides."""
    if not (labels_JI == CAVITY).any():
        return np.full_like(labels_JI, UNANNOTATED)
    mm = truth.GetSpacing()[0]
    cavity = labels_JI == CAVITY
    inside = _morphology(sitk.BinaryMorphologicalClosing, cavity, CLOSING_MM / mm)
    rim = _morphology(sitk.BinaryDilate, inside, RIM_MM / mm)
    rim &= ~_morphology(sitk.BinaryErode, cavity, RIM_MM / mm)
    left = labels_JI.copy()
    left[rim & (labels_JI != RV)] = UNANNOTATED
    if not (labels_JI == RV).any():
        left[labels_JI == 0] = UNANNOTATED
    return left


def _morphology(operation, mask_JI: np.ndarray, radius: float) -> np.ndarray:
    pad = round(radius) + 1
    image = sitk.GetImageFromArray(np.pad(mask_JI, pad).astype(np.uint8))
    done = sitk.GetArrayFromImage(operation(image, [round(radius)] * 2))
    return done[pad:-pad, pad:-pad].astype(bool)


def _write(labels: np.ndarray, like: sitk.Image, path: Path) -> None:
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(like)
    sitk.WriteImage(image, str(path))


if __name__ == "__main__":
    main()
