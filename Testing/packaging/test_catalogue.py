import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cmake_lists import MODULE, ROOT, lists


def settings():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'set\(EXTENSION_(\w+) "([^"]*)"\)', text))


def older():
    lines = (ROOT / "CMCSeg.s4ext").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return {key: value for key, _, value in pairs}


def test_the_list_for_cmake_names_what_lies_on_the_disk():
    assert (MODULE / "CMakeLists.txt").read_text(encoding="utf-8") == lists(), (
        "out of date; run python Testing/packaging/cmake_lists.py"
    )


def test_only_the_doorway_lies_in_the_module_folder():
    assert [path.name for path in MODULE.glob("*.py")] == ["CMCSegmentation.py"]


def test_both_catalogue_entries_agree_with_cmake():
    ours, old = settings(), older()
    new = json.loads((ROOT / "CMCSeg.json").read_text(encoding="utf-8"))
    assert {"$schema", "category", "scm_url"} <= set(new)
    assert old["homepage"] == ours["HOMEPAGE"] == new["scm_url"].removesuffix(".git")
    assert old["contributors"] == ours["CONTRIBUTORS"] == "The CMCSeg developers"
    assert old["description"] == ours["DESCRIPTION"]
    assert old["iconurl"] == ours["ICONURL"]
    assert old["screenshoturls"] == ours["SCREENSHOTURLS"]
    assert old["depends"].split() == ours["DEPENDS"].split() == new["build_dependencies"]
    assert (old["scmurl"], old["category"]) == (new["scm_url"], new["category"])


def test_the_catalogue_pictures_are_in_the_repository():
    for name in ("ICONURL", "SCREENSHOTURLS"):
        assert (ROOT / settings()[name].split("/main/")[1]).is_file()


def test_icons_are_128_pixels_square():
    for path in (MODULE / "Resources/Icons/CMCSegmentation.png", ROOT / "Resources/CMCSeg.png"):
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert (head[16:20], head[20:24]) == (b"\0\0\0\x80", b"\0\0\0\x80")


def test_the_installed_extension_works_from_its_own_files_alone(tmp_path):
    """CMake copies what it lists, as it lies, into one folder; Slicer puts that on the path."""
    home = tmp_path / "qt-scripted-modules"
    listed = re.findall(r"^  ([\w./-]+\.\w+|[\w./-]*SHA256SUMS)$", lists(), flags=re.M)
    assert len(listed) > 100
    for name in listed:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MODULE / name, home / name)
    words = "import cmcseg, sys; print(cmcseg.__file__); from cmcseg.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", words, "models", "list", "--json"],
        env={**os.environ, "PYTHONPATH": str(home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    place, _, told = done.stdout.partition("\n")
    assert Path(place) == home / "cmcseg" / "__init__.py"
    names = {model["name"] for model in json.loads(told)}
    assert {path.parent.name for path in MODULE.glob("Resources/Models/*/card.json")} <= names


def test_every_page_of_the_documents_stands_in_their_index():
    docs = ROOT / "docs"
    named = set((docs / "index.md").read_text(encoding="utf-8").split())
    assert {page.stem for page in docs.glob("*.md")} - named == {"index"}
