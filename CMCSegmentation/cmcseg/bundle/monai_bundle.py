"""A model as a MONAI bundle that runs in MONAI: exported networks and how MONAI runs them.

    FOLDER/configs/metadata.json   inference.json (first role)   inference_ROLE.json (other roles)
           models/ROLE.pt2         the network for one scan, windows of one shape (torch.export)

Of a corrected model the learned kernels go along, which see scans of every kind there.
MONAI resamples and blends a little differently, and does not tidy, so that borders may differ by a
voxel from what ``cmcseg segment`` finds; a partner's scan cannot be given.
"""

import itertools
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from cmcseg.bundle.load import Bundle
from cmcseg.bundle.pack import monai_metadata
from cmcseg.core.card import GridSpec, InputSpec, ModelCard
from cmcseg.core.whole_folder import fresh_folder
from cmcseg.nets.domain_net import chosen

LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))  # towards minus and plus of each world axis


class OneScan(nn.Module):
    """A network that sees one scan: an image to logits, and nothing else."""

    def __init__(self, network: nn.Module, role: int) -> None:
        super().__init__()
        self.network, self.role = network, role

    def forward(self, image_B1DHW: Tensor) -> Tensor:
        """``(B, 1, D, H, W)`` normalised to ``(B, K, D, H, W)`` class scores."""
        alone_B = image_B1DHW.new_zeros(image_B1DHW.shape[0])
        return self.network({self.role: image_B1DHW}, alone_B)[self.role].logits_BKDHW


def exported(bundle: Bundle, role: str) -> torch.export.ExportedProgram:
    """The network for one role as a graph that needs none of this program's code."""
    network, _ = chosen(bundle.network, bundle.card, {})
    module = OneScan(network, bundle.card.roles.index(role)).eval()
    window = torch.zeros(1, 1, *bundle.card.grid.window)
    with torch.no_grad():
        return torch.export.export(module, (window,), strict=False)


def write_monai_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write the bundle; the folder appears whole or not at all.

    Raises:
        BadInput: when the folder exists or cannot be written.
    """
    card = bundle.card
    with fresh_folder(folder) as draft:
        for name in ("configs", "models"):
            (draft / name).mkdir()
        _write(draft / "configs" / "metadata.json", monai_metadata(card))
        for number, spec in enumerate(card.inputs):
            name = "inference.json" if number == 0 else f"inference_{spec.role}.json"
            _write(draft / "configs" / name, inference(card, spec))
            torch.export.save(exported(bundle, spec.role), draft / "models" / f"{spec.role}.pt2")
    return folder


def inference(card: ModelCard, spec: InputSpec) -> dict:
    """MONAI's configuration: ``python -m monai.bundle run --config_file ... --image ...``."""
    return {
        "imports": ["$import torch", "$from cmcseg.imaging.intensity import standardise"],
        "bundle_root": ".",
        "image": "scan.nii.gz",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network": (
            f"$torch.export.load(@bundle_root + '/models/{spec.role}.pt2').module().to(@device)"
        ),
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                _normalised(spec),
                {"_target_": "Orientationd", "keys": "image", "axcodes": axcodes(card.grid)},
                {"_target_": "Spacingd", "keys": "image", "pixdim": list(card.grid.spacing)},
            ],
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": list(card.grid.window),
            "sw_batch_size": 1,
            "overlap": 0.25,
            "mode": "gaussian",
            "padding_mode": "replicate",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "orig_keys": "image",
                    "transform": "@preprocessing",
                    "nearest_interp": False,
                },
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_postfix": "labels",
                    "output_dtype": "$torch.uint8",
                    "separate_folder": False,
                },
            ],
        },
        "loaded": "$@preprocessing({'image': @image})",
        "pred": "$@inferer(@loaded['image'][None].to(@device), @network)[0].cpu()",
        "run": ["$@postprocessing({**@loaded, 'pred': @pred})"],
    }


def axcodes(grid: GridSpec) -> str:
    """The patient's axes that lie nearest to the working axes, as nibabel names them."""
    ways = itertools.permutations(range(3))
    best = max(ways, key=lambda way: sum(abs(grid.axes[way[n]][n]) for n in range(3)))
    return "".join(LETTERS[axis][grid.axes[axis][n] > 0] for n, axis in enumerate(best))


def _normalised(spec: InputSpec) -> dict:
    if spec.window is not None:
        low, high = spec.window
        limits = {"a_min": low, "a_max": high, "b_min": -1.0, "b_max": 1.0, "clip": True}
        return {"_target_": "ScaleIntensityRanged", "keys": "image", **limits}
    call = f"$lambda x: x.new_tensor(standardise(x.numpy(), {spec.brightest}))"
    return {"_target_": "Lambdad", "keys": "image", "func": call}


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
