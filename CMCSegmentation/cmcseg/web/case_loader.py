"""Scans of a case into the scene and out of it."""

from __future__ import annotations

from pathlib import Path

from trame_slicer.core import SlicerApp

from cmcseg.core.errors import BadInput
from cmcseg.mrml.scene import MrmlScene
from cmcseg.web.folder import Case, Folder

CASE = "CMCSeg.case"  # attribute of the scans of the open case


class CaseLoader:
    """Reads the files of a case.

    Args:
        folder: nothing outside it is read.
        app: Slicer's scene and readers.
        scene: knows what lies beside a scan.
    """

    def __init__(self, folder: Folder, app: SlicerApp, scene: MrmlScene) -> None:
        self._folder, self._app, self._scene = folder, app, scene

    def load(self, case: Case, titles: dict[str, str]) -> list[tuple[str, str]]:
        """Read the scans of a case.

        Args:
            case: which.
            titles: what a clinician calls its roles.

        Returns:
            Role and key of each scan.

        Raises:
            BadInput: when a file cannot be read; none of the scans is left then.
        """
        scene, loaded = self._app.scene, []
        try:
            for role, files in case.files.items():
                paths = [str(self._inside(path)) for path in files]
                nodes = self._app.io_manager.load_volumes(paths)
                if not nodes or any(node is None for node in nodes):
                    raise BadInput(f"{files[0].name} cannot be read as a scan; it may be damaged.")
                loaded += [(role, node.GetID()) for node in nodes]
        except Exception as error:
            for _, key in loaded:
                scene.RemoveNode(scene.GetNodeByID(key))
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"{case.id} cannot be read: {error}.") from error
        for role, key in loaded:
            node = scene.GetNodeByID(key)
            node.SetAttribute(CASE, case.id)
            node.SetName(f"{titles[role] or node.GetName()} of {case.id}")
        return loaded

    def unload(self, case_id: str) -> None:
        """Take the scans of a case, and all that was found in them, out of the scene."""
        for key in self._keys(case_id):
            if node := self._app.scene.GetNodeByID(key):
                self._app.scene.RemoveNode(node)

    def _keys(self, case_id: str) -> list[str]:
        keys = []
        for info in self._scene.scans():
            if self._app.scene.GetNodeByID(info.key).GetAttribute(CASE) == case_id:
                keys += [
                    self._scene.doubt(info.key),
                    self._scene.disagreement(info.key),
                    self._scene.segmentation(info.key),
                    info.key,
                ]
        return [key for key in keys if key]

    def _inside(self, path: Path) -> Path:
        return self._folder.inside(*path.relative_to(self._folder.root).parts)
