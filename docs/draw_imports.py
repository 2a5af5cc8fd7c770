"""Draw the folders and their imports into ``docs/architecture.md``, from the imports themselves.

python docs/draw_imports.py           # rewrite the picture
python docs/draw_imports.py --check   # end with 1 when it is no longer true
"""

import ast
import sys
from collections import defaultdict
from pathlib import Path

PAGE = Path(__file__).parent / "architecture.md"
PACKAGE = Path(__file__).parents[1] / "CMCSegmentation" / "cmcseg"
BEGIN, END = "<!-- drawn by docs/draw_imports.py -->\n", "<!-- end of the drawing -->\n"


def folders() -> dict[str, set[str]]:
    """For each folder of the package, the others that it imports from, at any depth."""
    found = {path.name: set() for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    for path in PACKAGE.rglob("*.py"):
        folder = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for parts in (name.split(".") for name in names):
                if folder in found and parts[0] == "cmcseg" and len(parts) > 1:
                    found[folder] |= {parts[1]} & (set(found) - {folder})
    return found


def floors(imports: dict[str, set[str]]) -> dict[int, list[str]]:
    """Folders by floor: each lies one above the highest that it imports from."""
    height: dict[str, int] = {}
    while len(height) < len(imports):
        ready = [name for name in imports if name not in height and imports[name] <= set(height)]
        if not ready:
            raise SystemExit("The folders import each other in a circle.")
        for name in ready:
            height[name] = max((height[other] + 1 for other in imports[name]), default=0)
    by_floor = defaultdict(list)
    for name in sorted(height):
        by_floor[height[name]].append(name)
    return dict(by_floor)


def drawing() -> str:
    """The floors, highest first, as text; after each folder those it imports from."""
    imports = folders()
    lines = ["```text"]
    for floor, names in sorted(floors(imports).items(), reverse=True):
        for name in names:
            lines.append(f"{floor}  {name:<8} -> {' '.join(sorted(imports[name])) or 'nothing'}")
        lines.append("")
    return "\n".join([*lines[:-1], "```"]) + "\n"


def main() -> None:
    """Rewrite the page, or check it."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    new = before + BEGIN + drawing() + END + after
    if "--check" in sys.argv:
        sys.exit(f"{PAGE} no longer shows the imports; run {__file__}." if new != text else 0)
    PAGE.write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
