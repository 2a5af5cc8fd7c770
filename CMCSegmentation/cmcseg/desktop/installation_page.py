"""The page of the installation: a line per check, a button where a fix exists."""

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

from cmcseg.desktop.controls import allow, trying
from cmcseg.desktop.environment import Environment, gather
from cmcseg.desktop.install import install, open_pytorch, ready
from cmcseg.desktop.installation_checks import Check, checks
from cmcseg.session.background import BackgroundTasks


class InstallationSection:
    """Looks in a thread of its own, so that a slow driver keeps nobody waiting.

    Args:
        ui: the panel's widgets.
        resources: folder of ``requirements.txt`` and ``Models``.
        queue: folder of the accepted pairs.
        done: called when something was installed.
        import_model: called when a model is to be imported.
        tell: shows a sentence to the user.
    """

    def __init__(
        self,
        ui: object,
        resources: Path,
        queue: Path,
        done: Callable,
        import_model: Callable,
        tell: Callable,
    ) -> None:
        self._ui, self._done, self._tell = ui, done, tell
        self._requirements, self._models = resources / "requirements.txt", resources / "Models"
        self._queue = queue
        self._folders: dict[str, str] = {}
        self._fixes = {
            "install": (_("Install"), self._install),
            "pytorch": (_("PyTorch..."), open_pytorch),
            "import": (_("Import..."), import_model),
        }
        self._lacking = False
        self._lines: list[tuple] = []
        self._found: list[Check] = []
        self._background = BackgroundTasks()
        ui.installButton.clicked.connect(trying(self._install, tell))
        ui.wheelsButton.clicked.connect(trying(self._fromWheels, tell))
        ui.lookButton.clicked.connect(trying(self.look, tell))
        ui.installSection.collapsed = self.ready
        self.look()

    def hindrance(self) -> str:
        """One sentence saying why no worker could start, or empty; as it was found by ``look``."""
        return _("Something is not installed yet; see Installation.") if self._lacking else ""

    @property
    def ready(self) -> bool:
        """Whether a worker could start; known at once."""
        return ready(self._requirements)

    def look(self) -> None:
        """Look again."""
        self._lacking = not self.ready  # asked often, and it reads the packages' own files
        why = "" if self._lacking else _("Everything is installed.")
        allow(self._ui.installButton, why, _("Install all that is missing"))
        allow(self._ui.wheelsButton, why, _("Install without a network"))
        folders = dict(self._folders)
        self._background.aside(
            lambda: gather(self._requirements, self._models, folders, self._queue),
            self._show,
            self._tell,
        )

    def verify(self, folders: dict[str, str]) -> None:
        """Look again when the models are not those that were looked at.

        Args:
            folders: where each model lies, by name, as the worker says.
        """
        if folders != self._folders:
            self._folders = dict(folders)
            self.look()

    @property
    def busy(self) -> bool:
        """Whether it still looks."""
        return self._background.busy

    def pump(self) -> None:
        """Show what was found meanwhile."""
        self._background.pump()

    def close(self) -> None:
        """Stop looking."""
        self._background.close()

    def _show(self, env: Environment) -> None:
        self._found = found = checks(env)
        while len(self._lines) < len(found):
            self._lines.append(self._line(len(self._lines)))
        for (name, words, button), check in zip(self._lines, found, strict=True):
            name.setText(check.name)
            words.setText(check.found)
            words.setStyleSheet("" if check.well else "font-weight: bold")
            words.setToolTip(check.name)
            # What is missing is installed by the button below, all at once.
            button.setVisible(bool(check.fix) and check.fix != "install")
            button.setText(self._fixes[check.fix][0] if check.fix else "")
        self._ui.installSection.collapsed = all(check.well for check in found)

    def _line(self, row: int) -> tuple[qt.QLabel, qt.QLabel, qt.QPushButton]:
        name, words, button = qt.QLabel(), qt.QLabel(), qt.QPushButton()
        words.setWordWrap(True)
        grid = self._ui.checksHost.layout()
        grid.setColumnStretch(1, 1)
        for column, widget in enumerate((name, words, button)):
            grid.addWidget(widget, row, column)
        button.clicked.connect(trying(lambda: self._fix(row), self._tell))
        return name, words, button

    def _fix(self, row: int) -> None:
        _title, call = self._fixes[self._found[row].fix]
        call()

    def _install(self) -> None:
        self._installing(None)

    def _fromWheels(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of wheels"))
        if folder:
            self._installing(Path(folder))

    def _installing(self, wheels: Path | None) -> None:
        try:
            left_to_do = install(self._requirements, wheels)
        finally:  # a part of it may be there
            self.look()
        self._done()
        if left_to_do:
            self._tell(left_to_do, "")
