"""What is missing is installed: asked first, and Slicer's own packages are left alone."""

import subprocess
import sys
import types
from pathlib import Path

import pytest


@pytest.fixture
def pip(a_host, monkeypatch, tmp_path):
    """A Slicer in which monai is missing; what is asked and installed is written down."""
    import slicer
    from cmcseg.desktop import environment, install

    versions = {"torch": "2.5.1+cu121", "numpy": "2.1.0", "SimpleITK": "2.4.0", "monai": ""}
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
    packaging = types.SimpleNamespace(pip_ensure=ensure)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
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
    assert pins.splitlines() == ["numpy==2.1.0", "SimpleITK==2.4.0", "torch==2.5.1+cu121"]
    assert how["skip_packages"] == ["numpy", "SimpleITK", "torch"]
    assert how["prompt_install"] is False, "we have asked already"


def test_a_version_that_pip_cannot_read_is_no_pin(pip):
    pip.versions["SimpleITK"] = "2.4.0-dev (Slicer)"
    pip.install()
    assert pip.installed[0][2].splitlines() == ["numpy==2.1.0", "torch==2.5.1+cu121"]


def test_an_older_slicer_has_pip_install_alone(pip, monkeypatch):
    import slicer

    monkeypatch.delattr(slicer, "packaging")
    pip.install()
    ((call, words),) = pip.installed
    assert call == "pip_install"
    assert words[0] == "--constraint"
    assert "numpy==2.1.0" in words[1]
    assert words[2:] == ["monai>=1.4"]


def test_a_folder_of_wheels_needs_no_network(pip, tmp_path):
    pip.versions["torch"] = ""
    pip.install(tmp_path)
    (_, torch), (_, rest) = pip.installed
    assert torch == ["--no-index", "--find-links", str(tmp_path), "torch>=2.4"]
    assert rest[2:] == ["--no-index", "--find-links", str(tmp_path), "monai>=1.4"]


def test_a_pip_that_fails_is_told_in_one_sentence(pip, monkeypatch):
    import slicer
    from cmcseg.core.errors import CMCSegError

    def fail(*_words, **_how):
        raise subprocess.CalledProcessError(1, ["pip"])

    monkeypatch.setattr(slicer.packaging, "pip_ensure", fail)
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
    assert asked == [">=2.4"]


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
    import slicer
    from cmcseg.session.inline_runner import InlineRunner

    panel = a_panel(InlineRunner(a_worker))
    assert panel.ui.installButton.isEnabled()
    assert panel.segment.models.cards == ()

    def ensure(requirements, **_how):
        pip.versions["monai"] = "1.6"

    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    panel.ui.installButton.click()
    until(lambda: panel.segment.models.cards)
    assert panel.ui.messageLabel.text == ""
    assert not panel.ui.installButton.isEnabled()
