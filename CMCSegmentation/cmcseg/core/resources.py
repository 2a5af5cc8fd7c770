"""Where the models, tasks and lists that came with the program lie."""

from pathlib import Path


def resource_folder() -> Path:
    """Inside an installed wheel, else beside the package in a checkout or a Slicer extension."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "resources"
    return inside if inside.is_dir() else package.parent / "Resources"
