"""What is missing is installed: asked first, and Slicer's own packages are left alone."""

import os
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest


@pytest.fixture
def pip(a_host, monkeypatch, tmp_path):
    """A Slicer in which monai is missing; what is asked and installed is written down."""
    import slicer
    from cmcseg.desktop import environment, install

    versions = {"torch": "2.10.1+cu121", "numpy": "2.1.0", "SimpleITK": "2.4.0", "monai": ""}
    for module in (environment, install):
        monkeypatch.setattr(module, "version", lambda name: versions.get(name, "9999"))
    log = types.SimpleNamespace(asked=[], installed=[], versions=versions, answer=True)
    log.requirements = tmp_path / "requirements.txt"
    log.requirements.write_text("# the worker's\nmonai>=1.4\npydicom>=3\n", encoding="utf-8")

    def ask(text):
        log.asked.append(text)
        return log.answer

    def ensure(requirements, **how):
        pins = Path(how.pop("constraints")).read_text(encoding="utf-8")
        log.installed.append(("pip_ensure", requirements, pins, how))

    def install_(words):
        if "--constraint" in words:
            at = words.index("--constraint") + 1
            words = [*words[:at], Path(words[at]).read_text(encoding="utf-8"), *words[at + 1 :]]
        log.installed.append(("pip_install", words))

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    monkeypatch.setattr(slicer.util, "pip_install", install_, raising=False)
    # As in Slicer 5.12: it can be imported, and is no attribute of ``slicer`` before that.
    log.packaging = types.ModuleType("slicer.packaging")
    log.packaging.pip_ensure = ensure
    monkeypatch.setitem(sys.modules, "slicer.packaging", log.packaging)
    log.install = lambda wheels=None: install.install(log.requirements, wheels)
    return log


def test_nothing_is_installed_without_a_yes(pip):
    pip.answer = False
    pip.install()
    assert pip.asked == ["Install into Slicer's Python: monai>=1.4?"]
    assert pip.installed == []


def test_nothing_is_asked_where_nothing_is_missing(pip):
    pip.versions["monai"] = "1.5"
    pip.install()
    assert pip.asked == []


def test_slicers_own_packages_are_pinned_and_skipped(pip):
    pip.install()
    ((call, requirements, pins, how),) = pip.installed
    assert call == "pip_ensure"
    assert requirements == ["monai>=1.4"]
    assert pins.splitlines() == ["numpy==2.1.0", "SimpleITK==2.4.0", "torch==2.10.1+cu121"]
    assert how["skip_packages"] == ["numpy", "SimpleITK", "torch"]
    assert how["prompt_install"] is False, "we have asked already"


def test_a_version_that_pip_cannot_read_is_no_pin(pip):
    pip.versions["SimpleITK"] = "2.4.0-dev (Slicer)"
    pip.install()
    assert pip.installed[0][2].splitlines() == ["numpy==2.1.0", "torch==2.10.1+cu121"]


def test_an_older_slicer_has_pip_install_alone(pip, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    pip.install()
    ((call, words),) = pip.installed
    assert call == "pip_install"
    assert words[0] == "--constraint"
    assert "numpy==2.1.0" in words[1]
    assert words[2:] == ["monai>=1.4"]


def test_what_slicer_has_loaded_in_an_older_version_asks_for_a_restart(pip, monkeypatch):
    """Slicer 5.10 comes with a pydicom that is too old, and may have read a series with it."""
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    assert pip.install() == ""
    monkeypatch.setitem(sys.modules, "monai", types.ModuleType("monai"))
    assert pip.install() == "Restart Slicer; it still works with the old monai."


def test_a_folder_of_wheels_needs_no_network(pip, tmp_path):
    pip.versions["torch"] = ""
    pip.install(tmp_path)
    ((_, words),) = pip.installed
    assert words[0] == "--constraint"
    assert "numpy==2.1.0" in words[1], "torch may not replace it either"
    offline = ["--no-index", "--find-links", str(tmp_path)]
    assert words[2:] == [*offline, "torch>=2.10", "monai>=1.4"]


def test_a_torch_that_is_too_old_is_replaced_and_not_pinned(pip, tmp_path):
    pip.versions["torch"] = "2.5.1+cu121"
    pip.install(tmp_path)
    assert pip.asked == ["Install into Slicer's Python: torch, monai>=1.4?"]
    ((_, words),) = pip.installed
    assert "torch" not in words[1]
    assert words[-2:] == ["torch>=2.10", "monai>=1.4"]


def test_pip_installs_from_the_folder_of_wheels(pip, tmp_path, monkeypatch):
    import slicer
    from cmcseg.core.errors import CMCSegError

    def run(words):
        assert type(words) is list, "nothing else is taken by Slicer 5.10"
        command = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "site")]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        plain["PIP_CONFIG_FILE"] = os.devnull  # this computer may have wheels of its own
        subprocess.run([*command, *words], check=True, capture_output=True, env=plain)

    monkeypatch.setattr(slicer.util, "pip_install", run)
    pip.versions["numpy"] = pip.versions["SimpleITK"] = pip.versions["torch"] = ""
    for name in ("torch", "monai"):
        _wheel(tmp_path, name, "9.0")
    pip.install(tmp_path)
    assert {path.name for path in (tmp_path / "site").glob("*.py")} == {"torch.py", "monai.py"}
    (tmp_path / "monai-9.0-py3-none-any.whl").unlink()
    with pytest.raises(CMCSegError) as refusal:
        pip.install(tmp_path)
    assert str(refusal.value) == (
        "The packages could not be installed from the folder (CalledProcessError); the Python "
        "console tells why. It must hold wheels of all of them and of what they need, for Slicer's "
        "Python and this system."
    )


def _wheel(folder, name, version):
    """The least that pip takes for a wheel."""
    facts = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(
            f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"
        )
        wheel.writestr(
            f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        wheel.writestr(f"{facts}/RECORD", "")


def test_a_pip_that_fails_is_told_in_one_sentence(pip, monkeypatch):
    from cmcseg.core.errors import CMCSegError

    def fail(*_words, **_how):
        raise subprocess.CalledProcessError(1, ["pip"])

    monkeypatch.setattr(pip.packaging, "pip_ensure", fail)
    with pytest.raises(CMCSegError) as refusal:
        pip.install()
    assert str(refusal.value) == (
        "The packages could not be installed (CalledProcessError); the Python console tells why. "
        "Check the network and the free disk, and try again."
    )


@pytest.mark.parametrize(("given", "installed"), [(object(), True), (None, False)])
def test_torch_comes_through_the_pytorch_extension(pip, monkeypatch, given, installed):
    from cmcseg.core.errors import BadInput

    asked = []

    def install_torch(self, torchVersionRequirement):
        asked.append(torchVersionRequirement)
        return given

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = type("Logic", (), {"installTorch": install_torch})
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    pip.versions["torch"] = ""
    if installed:
        pip.install()
        assert [call for call, *_ in pip.installed] == ["pip_ensure"], "the rest follows"
    else:
        with pytest.raises(BadInput, match=r"^PyTorch could not be installed; the Python console"):
            pip.install()
    assert asked == [">=2.10"]


def test_without_the_extension_the_user_is_told_where_it_is(pip):
    from cmcseg.core.errors import BadInput

    pip.versions["torch"] = ""
    with pytest.raises(BadInput) as refusal:
        pip.install()
    assert str(refusal.value) == (
        "Slicer's PyTorch extension is not installed; install it with the Extensions Manager and "
        "restart Slicer."
    )


def test_the_module_of_the_extension_is_opened(pip, monkeypatch):
    import slicer
    from cmcseg.desktop.install import open_pytorch

    opened = []
    monkeypatch.setattr(slicer.modules, "pytorchutils", object(), raising=False)
    monkeypatch.setattr(slicer.util, "selectModule", opened.append)
    open_pytorch()
    assert opened == ["PyTorchUtils"]


def test_after_the_press_the_models_are_loaded(pip, a_panel, a_worker, until, monkeypatch):
    from inline_runner import InlineRunner

    panel = a_panel(InlineRunner(a_worker))
    assert panel.ui.installButton.isEnabled()
    assert panel.segment.models.cards == ()

    def ensure(requirements, **_how):
        pip.versions["monai"] = "1.6"

    monkeypatch.setattr(pip.packaging, "pip_ensure", ensure)
    panel.ui.installButton.click()
    until(lambda: panel.segment.models.cards)
    assert panel.ui.messageLabel.text == ""
    assert not panel.ui.installButton.isEnabled()
