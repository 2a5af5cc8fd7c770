"""Small manners shared by all sections."""

from collections.abc import Callable

import qt

from cmcseg.core.errors import CMCSegError

DECORATION = 1  # Qt's role of what stands before a cell's text
MOST_PIXELS = 240  # of a table; it is as high as its rows, and more of them scroll
PRIMARY = "QPushButton:enabled { font-weight: bold; background: #0072B2; color: white; }"


def allow(button: qt.QWidget, reason: str, otherwise: str = "") -> None:
    """Enable a button, or disable it and say why in its tool tip."""
    button.setEnabled(not reason)
    button.setToolTip(reason or otherwise)


def fill(combo: qt.QComboBox, items: list[tuple[str, str]], chosen: str) -> None:
    """Put ``(text, key)`` items into a box and choose one, without telling its listeners."""
    before = combo.blockSignals(True)
    shown = [(combo.itemText(n), combo.itemData(n)) for n in range(combo.count)]
    if shown != items:  # else a list that is open just now would close
        combo.clear()
        for text, key in items:
            combo.addItem(text, key)
    combo.setCurrentIndex(combo.findData(chosen))
    combo.blockSignals(before)


def key_of(combo: qt.QComboBox) -> str:
    """The key of the chosen item, or empty."""
    return combo.itemData(combo.currentIndex) or "" if combo.currentIndex >= 0 else ""


def fill_table(
    table: qt.QTableWidget,
    titles: list[str],
    rows: list[list[str]],
    colors: list[str] | None = None,
    tips: list[str] | None = None,
) -> None:
    """Show rows of text, as high as they are.

    Args:
        table: to fill.
        titles: of the columns.
        rows: their cells.
        colors: of a swatch before the first cell of each row.
        tips: of the titles.
    """
    if _shown(table) == [titles, *rows]:
        return  # measuring columns anew takes several milliseconds
    table.setColumnCount(len(titles))
    table.setHorizontalHeaderLabels(titles)
    table.setRowCount(len(rows))
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            table.setItem(i, j, qt.QTableWidgetItem(text))
    for i, color in enumerate(colors or []):
        table.item(i, 0).setData(DECORATION, qt.QColor(color))
    for j, tip in enumerate(tips or []):
        table.horizontalHeaderItem(j).setToolTip(tip)
    table.resizeColumnsToContents()
    table.setMaximumHeight(MOST_PIXELS)
    table.updateGeometry()


def _shown(table: qt.QTableWidget) -> list[list[str]]:
    """The text of the titles and of all cells."""
    columns = range(table.columnCount)
    cells = [[table.horizontalHeaderItem(j) for j in columns]]
    cells += [[table.item(i, j) for j in columns] for i in range(table.rowCount)]
    return [[cell.text() if cell is not None else "" for cell in row] for row in cells]


def trying(action: Callable[[], None], tell: Callable[[str, str], None]) -> Callable[..., None]:
    """A slot that runs ``action`` and tells a refusal instead of raising it into Qt."""

    def slot(*_from_qt: object) -> None:
        try:
            action()
        except CMCSegError as error:
            tell(str(error), "")

    return slot
