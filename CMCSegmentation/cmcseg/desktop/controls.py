"""Small manners shared by all sections."""

from collections.abc import Callable

import qt

from cmcseg.core.errors import CMCSegError


def allow(button: qt.QWidget, reason: str, otherwise: str = "") -> None:
    """Enable a button, or disable it and say why in its tool tip."""
    button.setEnabled(not reason)
    button.setToolTip(reason or otherwise)


def fill(combo: qt.QComboBox, items: list[tuple[str, str]], chosen: str) -> None:
    """Put ``(text, key)`` items into a box and choose one, without telling its listeners."""
    before = combo.blockSignals(True)
    combo.clear()
    for text, key in items:
        combo.addItem(text, key)
    combo.setCurrentIndex(combo.findData(chosen))
    combo.blockSignals(before)


def key_of(combo: qt.QComboBox) -> str:
    """The key of the chosen item, or empty."""
    return combo.itemData(combo.currentIndex) or "" if combo.currentIndex >= 0 else ""


def fill_table(table: qt.QTableWidget, titles: list[str], rows: list[list[str]]) -> None:
    """Show rows of text."""
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(titles)
    table.setRowCount(len(rows))
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            table.setItem(i, j, qt.QTableWidgetItem(text))
    table.resizeColumnsToContents()


def trying(action: Callable[[], None], tell: Callable[[str, str], None]) -> Callable[..., None]:
    """A slot that runs ``action`` and tells a refusal instead of raising it into Qt."""

    def slot(*_from_qt: object) -> None:
        try:
            action()
        except CMCSegError as error:
            tell(str(error), "")

    return slot
