"""The page of the installation: a line per check, a fix where there is one."""

from dataclasses import replace
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[2] / "CMCSegmentation" / "Resources" / "Models"
NAMES = [
    *(
        "Python",
        "PyTorch",
        "Packages",
        "Free disk",
        "Path lengths",
        "Memory",
        "GPU memory",
        "Models",
    )
]


@pytest.fixture
def good(a_host):
    """A computer on which nothing is left to do."""
    from cmcseg.desktop.environment import Environment, Gpu

    return Environment(
        python="3.12.10",
        torch="2.10.1+cu121",
        cuda="12.1",
        missing=(),
        disk=77.2,
        memory=(20.0, 32.0),
        gpu=Gpu(name="NVIDIA A4000", driver="535.104", free=15.6, total=17.2),
        models={"abdomen-ct-mr": True, "heart-bssfp-lge": True},
        own={},
        paths={"packages": 240, "extension": 150, "models": 150, "queue": 130},
        path_limit=259,
    )


@pytest.fixture
def read(good):
    """The lines of facts that differ from the good ones, by name."""
    from cmcseg.desktop.installation_checks import checks

    return lambda **environment: {
        check.name: check for check in checks(replace(good, **environment))
    }


def test_where_all_is_well_every_line_says_what_was_found(read):
    found = read()
    assert list(found) == NAMES
    assert all(check.well and not check.fix for check in found.values())
    assert [check.found for check in found.values()] == [
        "3.12.10",
        "2.10.1+cu121, for CUDA 12.1",
        "all there",
        "77 GB",
        "at most 240 of 259 characters",
        "20 of 32 GB free",
        "16 of 17 GB free, NVIDIA A4000, driver 535.104",
        "2 shipped, verified",
    ]


@pytest.mark.parametrize(
    ("environment", "name", "words", "fix"),
    [
        ({"python": "3.9.10"}, "Python", "3.9.10; too old, use Slicer 5.10 or newer", ""),
        ({"torch": "", "cuda": ""}, "PyTorch", "not installed", "install"),
        (
            {"torch": "2.9.1+cu121"},
            "PyTorch",
            "2.9.1+cu121, for CUDA 12.1; too old; 2.10 or newer is needed",
            "install",
        ),
        (
            {"torch": "2.10.1+cpu", "cuda": ""},
            "PyTorch",
            "2.10.1+cpu, for the processor alone; the GPU stays unused; install a build for CUDA "
            "with the PyTorch module",
            "pytorch",
        ),
        (
            {"cuda": "13.0"},
            "PyTorch",
            "2.10.1+cu121, for CUDA 13.0; the NVIDIA driver 535.104 is too old for it; update it "
            "to 580 or newer, or install another build with the PyTorch module",
            "pytorch",
        ),
        (
            {"missing": ("monai>=1.4", "tyro>=0.9")},
            "Packages",
            "missing or too old: monai>=1.4, tyro>=0.9",
            "install",
        ),
        ({"disk": 1.2}, "Free disk", "1 GB; 2 GB are needed, make room", ""),
        (
            {"memory": (2.0, 8.0)},
            "Memory",
            "2 of 8 GB free; 4 GB are needed, close other programs",
            "",
        ),
        (
            {"models": {"abdomen-ct-mr": False}},
            "Models",
            "abdomen-ct-mr: damaged; import it again, or reinstall the extension",
            "import",
        ),
        ({"models": {}}, "Models", "none; import one", "import"),
        (
            {"own": {"spleen": False}},
            "Models",
            "spleen: damaged; import it again, or reinstall the extension",
            "import",
        ),
        (
            {"paths": {"packages": 281, "queue": 130}},
            "Path lengths",
            "281 characters where Windows takes 259: installed packages; install Slicer into a "
            "shorter folder, such as C:\\Slicer, or allow long paths in Windows",
            "",
        ),
    ],
)
def test_what_will_not_do_is_told_with_what_helps(read, environment, name, words, fix):
    found = read(**environment)
    assert (found[name].found, found[name].fix, found[name].well) == (words, fix, False)
    assert all(check.well for other, check in found.items() if other != name)


def test_torch_needs_more_room_before_it_is_there(read):
    assert read(disk=5.0)["Free disk"].well
    assert not read(disk=5.0, torch="", cuda="")["Free disk"].well


def test_no_gpu_is_no_fault(read):
    found = read(gpu=None, torch="2.10.1+cpu", cuda="")
    assert all(check.well for check in found.values())
    assert found["GPU memory"].found == "no NVIDIA GPU; a pair takes longer"


def test_what_nvidia_smi_says_is_understood(a_host):
    from cmcseg.desktop.environment import parse_gpu

    gpu = parse_gpu("NVIDIA H100 80GB HBM3, 550.90.07, 80000, 81559\nNVIDIA T4, 1, 2, 3\n")
    assert (gpu.name, gpu.driver) == ("NVIDIA H100 80GB HBM3", "550.90.07")
    assert round(gpu.total, 1) == 85.5
    assert parse_gpu("") is None
    assert parse_gpu("NVIDIA T4, 470.1, [N/A], 15360") is None


@pytest.mark.parametrize(
    ("line", "met"),
    [("numpy>=1", True), ("numpy>=900", False), ("no-such-package>=1", False), ("# numpy", True)],
)
def test_a_requirement_is_met_by_what_is_new_enough(a_host, tmp_path, line, met):
    from cmcseg.desktop.environment import missing

    path = tmp_path / "requirements.txt"
    path.write_text(f"{line}\n", encoding="utf-8")
    assert missing(path) == (() if met else (line,))


def test_a_version_is_read_as_numbers(a_host):
    from cmcseg.desktop.environment import numbers

    assert numbers("2.5.1+cu121") == (2, 5, 1)
    assert numbers("2.10") > numbers("2.9.3")
    assert numbers("nightly") == ()


def test_a_model_with_a_flipped_bit_is_seen(a_host, tmp_path):
    import shutil

    from cmcseg.desktop.environment import gather

    shutil.copytree(MODELS / "abdomen-ct-mr", tmp_path / "models" / "one")
    shutil.copytree(MODELS / "abdomen-ct-mr", tmp_path / "models" / "two")
    weights = tmp_path / "models" / "two" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
    own = {name: str(tmp_path / "models" / name) for name in ("one", "two")}
    shutil.move(tmp_path / "models" / "two", tmp_path / "imported" / "two")
    shutil.copytree(MODELS / "heart-bssfp-lge", tmp_path / "imported" / "three")
    own |= {name: str(tmp_path / "imported" / name) for name in ("two", "three")}
    environment = gather(
        tmp_path / "requirements.txt", tmp_path / "models", own, tmp_path / "queue"
    )
    assert environment.models == {"one": True}
    assert environment.own == {"two": False, "three": True}, "a flipped bit is seen"
    assert environment.disk > 0


def test_models_of_ones_own_are_counted(read):
    found = read(own={"spleen": True})["Models"]
    assert (found.found, found.well) == ("2 shipped, 1 of your own, verified", True)


def test_where_paths_have_no_limit_it_says_so(read):
    assert read(path_limit=None, paths={"packages": 999})["Path lengths"].found == "no limit here"


def test_the_longest_files_are_as_long_as_is_said(a_host, tmp_path):
    """Ours, against the disk and the names that the store and the queue give."""
    from cmcseg.desktop import environment

    module = MODELS.parents[1]
    files = [
        path.relative_to(module) for path in module.rglob("*") if "__pycache__" not in str(path)
    ]
    longest = max(len(str(path)) for path in files)
    compiled = max(
        len(str(path.parent / "__pycache__" / f"{path.stem}.cpython-312.pyc"))
        for path in files
        if path.suffix == ".py"
    )
    assert max(longest, compiled) <= environment.MODULE_FILE
    name, draft, tail = "n" * 40, ".12345678", "/configs/metadata.json"
    assert len(f".versions/{name}/.{'0' * 16}{draft}{tail}") == environment.MODEL_FILE
    assert len(f"runs/{name}-12345678-1/.candidate{draft}{tail}") == environment.QUEUE_FILE
    found = environment.longest_paths(Path("/m"), Path("/q"))
    assert found["queue"] == len("/q/") + environment.QUEUE_FILE


def shown(ui):
    import qt

    words = [label.text for label in ui.checksHost.findChildren(qt.QLabel)]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_the_page_is_folded_away_where_all_is_well(a_panel, a_worker, until, monkeypatch, good):
    from cmcseg.desktop import installation_page
    from inline_runner import InlineRunner

    monkeypatch.setattr(installation_page, "gather", lambda *_: good)
    ui = a_panel(InlineRunner(a_worker)).ui
    until(lambda: shown(ui))
    assert list(shown(ui)) == NAMES
    assert ui.installSection.collapsed is True
    assert not ui.installButton.isEnabled()


def test_a_line_with_a_fix_has_a_button_for_it(a_panel, a_worker, until, monkeypatch, good):
    import qt
    from cmcseg.desktop import installation_page
    from inline_runner import InlineRunner

    found = replace(good, torch="2.10.1+cpu", cuda="", models={})
    monkeypatch.setattr(installation_page, "gather", lambda *_: found)
    panel = a_panel(InlineRunner(a_worker))
    ui = panel.ui
    until(lambda: shown(ui))
    assert ui.installSection.collapsed is False
    buttons = ui.checksHost.findChildren(qt.QPushButton)
    assert [b.text for b in buttons if not b.isHidden()] == ["PyTorch...", "Import..."]
    buttons[1].click()
    assert ui.messageLabel.text.startswith("Slicer&#x27;s PyTorch extension is not installed;")
    monkeypatch.setattr(installation_page, "gather", lambda *_: good)
    ui.lookButton.click()
    until(lambda: ui.installSection.collapsed)
    assert all(button.isHidden() for button in buttons)
