"""No bound lets in a version that is known to be at fault; the page and the lock agree."""

import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOME = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))
LOCKED = tomllib.loads((HOME / "uv.lock").read_text("utf-8"))["package"]
ROW = re.compile(r"^\| ([a-z0-9]+) \| ([\d.]+) \| .*((?:CVE|GHSA|PYSEC)-[\w-]+)", re.M)
SOUND = {name: Version(first) for name, first, _ in ROW.findall(
    (HOME / "docs" / "security.md").read_text("utf-8"))}  # fmt: skip


def lowest() -> dict[str, Version]:
    """The lowest version that each requirement of the package and its page takes."""
    project = PROJECT["project"]
    wanted = map(Requirement, project["dependencies"] + project["optional-dependencies"]["web"])
    return {
        one.name.lower(): Version(bound.version)
        for one in wanted
        for bound in one.specifier
        if bound.operator == ">="
    }


def test_the_page_tells_of_packages():
    assert len(SOUND) >= 8


@pytest.mark.parametrize("name", SOUND)
def test_no_faulty_version_is_taken(name):
    assert lowest()[name] >= SOUND[name]
    locked = [Version(one["version"]) for one in LOCKED if one["name"] == name]
    assert locked
    assert min(locked) >= SOUND[name]


def test_slicer_is_asked_for_the_same_versions():
    text = (HOME / "CMCSegmentation" / "Resources" / "requirements.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            assert line in PROJECT["project"]["dependencies"]
    code = HOME / "CMCSegmentation" / "cmcseg" / "desktop" / "environment.py"
    (least,) = re.findall('^LEAST_TORCH = "([0-9.]+)"', code.read_text("utf-8"), re.M)
    assert f"torch>={least}" in PROJECT["project"]["dependencies"]


def test_the_lock_holds_the_torch_of_the_makefile():
    (pinned,) = re.findall(
        r"^TORCH \?= torch==(\S+)$", (HOME / "Makefile").read_text("utf-8"), re.M
    )
    assert [one["version"] for one in LOCKED if one["name"] == "torch"] == [pinned]


def test_every_locked_package_comes_from_the_public_index_with_a_checksum():
    own = PROJECT["project"]["name"]
    for one in LOCKED:
        if one["name"] == own:
            continue
        assert one["source"] == {"registry": "https://pypi.org/simple"}, one["name"]
        files = [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])]
        assert files, one["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), one["name"]
