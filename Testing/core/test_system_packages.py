"""One list of what pip cannot bring."""

from cmcseg.core.system_packages import how_to_install, system_packages


def test_the_list_names_what_draws_and_the_browser():
    found = system_packages()
    assert set(found) == {"drawing", "panel", "browser", "display"}
    assert "libegl1" in found["drawing"]
    assert all(found.values())


def test_a_package_that_two_purposes_need_is_named_once():
    assert how_to_install("drawing", "panel").split().count("libegl1") == 1
