"""The laws of a folder: its files import each other in one direction, and each fits in a head."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "CMCSegmentation" / "cmcseg"
LONGEST = 350  # lines of a file
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(name: str, source: str, names: set[str]) -> set[str]:
    """The files of the package that a file imports, at any depth, for types or not."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by dots"
            dotted = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        paths = [word.removeprefix("cmcseg.").replace(".", "/") + ".py" for word in dotted]
        found |= {path for path in paths if path in names}
    return found - {name}


def circle(sources: dict[str, str]) -> list[str]:
    """Files of which each imports the next and the last the first; empty when there are none."""
    reach = {name: imports(name, source, set(sources)) for name, source in sources.items()}
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for other in sorted(reach[name]):
            if ring := walk(other, [*path, name]):
                return ring
        done.add(name)
        return []

    return next((ring for name in sorted(sources) if (ring := walk(name, []))), [])


def too_long(sources: dict[str, str]) -> dict[str, int]:
    """Files of more than ``LONGEST`` lines, with their number."""
    lines = {name: len(source.splitlines()) for name, source in sources.items()}
    return {name: count for name, count in lines.items() if count > LONGEST}


@pytest.fixture(scope="module")
def the_package():
    return {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}


def test_no_files_import_each_other_in_a_circle(the_package):
    assert circle(the_package) == []


def test_no_file_is_longer_than_a_reader_can_hold(the_package):
    assert too_long(the_package) == {}


@pytest.mark.parametrize(
    "back",
    [
        "from cmcseg.web.app import App",
        "from cmcseg.web import app",
        "import cmcseg.web.app as app",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cmcseg.web.app import App",
        "def late():\n    from cmcseg.web.app import App",
    ],
)
def test_a_circle_is_found_whatever_it_is_for(back):
    sources = {"web/app.py": "from cmcseg.web.panel import Panel", "web/panel.py": back}
    assert circle(sources) == ["web/app.py", "web/panel.py"]


def test_a_circle_of_three_is_found_and_a_shared_floor_is_none():
    ring = {"a.py": "import cmcseg.b", "b.py": "import cmcseg.c", "c.py": "import cmcseg.a"}
    assert circle(ring) == ["a.py", "b.py", "c.py"]
    assert circle(ring | {"c.py": ""}) == []


def test_the_package_itself_breaks_the_laws_by_one_line_too_many(the_package):
    grid = the_package["core/grid.py"] + "from cmcseg.core.volume import Volume\n"
    assert circle(the_package | {"core/grid.py": grid}) == ["core/grid.py", "core/volume.py"]
    long = the_package["core/grid.py"] + "\n" * LONGEST
    assert "core/grid.py" in too_long(the_package | {"core/grid.py": long})


def test_a_long_file_is_found():
    assert too_long({"a.py": "x\n" * (LONGEST + 1), "b.py": "x\n" * LONGEST}) == {"a.py": 351}
