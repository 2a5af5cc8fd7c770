"""Where what came with the program lies."""

from cmcseg.core import resources


def test_in_a_wheel_they_lie_inside_the_package(tmp_path, monkeypatch):
    inside = tmp_path / "cmcseg" / "resources"
    inside.mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "cmcseg" / "core" / "resources.py"))
    assert resources.resource_folder() == inside


def test_in_a_checkout_they_lie_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "__file__", str(tmp_path / "cmcseg" / "core" / "resources.py"))
    assert resources.resource_folder() == tmp_path / "Resources"
