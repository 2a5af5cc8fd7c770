"""Synthetic pairs for Slicer's Sample Data module; they travel with the extension."""

from pathlib import Path

CATEGORY = "CMCSeg"
PAIRS = {  # what the Sample Data module calls a pair, and the name of its scan by role
    "CMCSegAbdomen": {"ct": "Phantom CT", "mr": "Phantom MR"},
    "CMCSegHeart": {"bssfp": "Phantom bSSFP", "lge": "Phantom LGE"},
}


def register(folder: Path, picture: Path) -> None:
    """Offer the pairs in the Sample Data module, for its buttons and for scripts.

    Slicer fetches an address, whatever its kind, into its own cache, and compares checksums there.

    Args:
        folder: where ``NAME_ROLE.nii.gz`` and their ``SHA256SUMS`` lie.
        picture: shown on the buttons.
    """
    import SampleData

    sums = checksums(folder)
    for name, titles in PAIRS.items():
        files = [f"{name}_{role}.nii.gz" for role in titles]
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=[(folder.resolve() / file).as_uri() for file in files],
            checksums=[f"SHA256:{sums[file]}" for file in files],
            fileNames=files,
            nodeNames=list(titles.values()),
            loadFileTypes=["VolumeFile"] * len(files),
            thumbnailFileName=str(picture),
        )


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name, as ``sha256sum`` lists them."""
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}
