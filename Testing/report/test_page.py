"""The report shows what was found, in words a clinician reads, and lets nothing in or out."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from cmcseg.core.card import GridSpec, InputSpec, ModelCard, NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.prediction import Alignment, Prediction
from cmcseg.core.review_places import places_of
from cmcseg.core.volume import Volume
from cmcseg.report.page import write_report

DOI = "https://doi.org/10.1007/978-3-031-72378-0_6"
TABLE = LabelTable(
    labels=(
        Label(value=1, name="liver", color="#d55e00"),
        Label(value=2, name="spleen", color="#cc79a7"),
    )
)
CARD = ModelCard(
    name="tiny",
    title="Tiny CT + MR",
    version="1.2.3",
    description="Liver and spleen.",
    inputs=(
        InputSpec(role="ct", title="CT", modality="CT", intensity="window", window=(-100, 200)),
        InputSpec(role="mr", title="MR", modality="MR", intensity="standardise"),
    ),
    table=TABLE,
    grid=GridSpec(spacing=(3, 3, 3), window=(32, 32, 32)),
    network=NetworkSpec(),
    licence="For research.",
    measured={"ct": {"liver": 0.951}, "cases": 7, "how": "Held-back cases."},
)
SCANS = {"ct": "ct_16.nii.gz", "mr": "mr_22.nii.gz"}


class Page(HTMLParser):
    """A page taken apart: its elements with attributes, and its visible text."""

    def __init__(self, path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.in_style = False
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.in_style = tag == "style"

    def handle_data(self, data):
        if not self.in_style:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.elements if name == tag]


def a_scan(shape, spacing, *, liver=40, spleen=16):
    """A scan, its organs as boxes of ``liver`` and ``spleen`` mm, and doubt at the spleen."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
    grid = Grid(shape=shape, affine=affine)
    x, y, z = np.moveaxis(grid.world(np.moveaxis(np.indices(shape), 0, -1)), -1, 0)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[np.maximum(np.maximum(abs(x - 20), abs(y)), abs(z)) < liver / 2] = 1
    from_spleen = np.maximum(np.maximum(abs(x + 30), abs(y + 8)), abs(z))
    labels[from_spleen < spleen / 2] = 2
    is_doubtful = (from_spleen < spleen / 2 + 6) & (spleen > 0)
    doubt = np.where(is_doubtful, 0.8, 0.01).astype(np.float32)
    image = (labels * 60 + np.hypot(x, y) / 4).astype(np.int16)
    return (
        Volume(array=image, grid=grid),
        LabelMap(array=labels, grid=grid, table=TABLE),
        Volume(array=doubt, grid=grid),
    )


def a_result(scans: dict) -> tuple[dict, Prediction]:
    alignment = Alignment(
        fixed="ct",
        moving="mr",
        matrix=np.eye(4),
        method="header",
        similarity=1.3,
        confidence=0.7,
        overlap=0.8,
        shift_mm=0.0,
        angle_deg=0.0,
        tilt_deg=2.0,
        centers_mm=12.0,
    )
    prediction = Prediction(
        labels={role: labels for role, (_, labels, _) in scans.items()},
        doubt={role: doubt for role, (_, _, doubt) in scans.items()},
        model="tiny",
        version="1.2.3",
        sha256="0123456789abcdef" * 4,
        alignment=alignment if len(scans) == 2 else None,
        seconds={"reading": 1.25, "segmenting": 7.5},
        peak_mb={"process": 1843.2},
        warnings=("The MR is very coarse.",),
    )
    return {role: volume for role, (volume, _, _) in scans.items()}, prediction


@pytest.fixture(scope="module")
def a_pair():
    return a_result(
        {"ct": a_scan((50, 40, 30), (2, 2, 2)), "mr": a_scan((50, 40, 12), (2, 2, 6), spleen=20)}
    )


@pytest.fixture(scope="module")
def an_mr():
    return a_result({"mr": a_scan((50, 40, 12), (2, 2, 6))})


@pytest.fixture(scope="module")
def a_page(a_pair, tmp_path_factory) -> "Page":
    """The report of the pair; nobody changes it."""
    return written(tmp_path_factory.mktemp("report") / "report.html", *a_pair)


def written(path, volumes, prediction, **more) -> Page:
    more = {"card": CARD, "scans": SCANS} | more
    write_report(path, volumes=volumes, prediction=prediction, **more)
    return Page(path)


def test_the_page_needs_no_network_and_runs_nothing(a_page):
    links = [
        value
        for _, attrs in a_page.elements
        for name, value in attrs.items()
        if name in ("href", "src", "xlink:href", "srcset", "data", "action", "poster")
    ]
    pictures = [link for link in links if link.startswith("data:image/webp;base64,")]
    assert len(pictures) == 2 * (3 + 2 + 5) + 3
    assert [link for link in links if link not in pictures] == [DOI]
    assert not a_page.all("script")
    assert not [name for _, attrs in a_page.elements for name in attrs if name.startswith("on")]
    assert "url(" not in a_page.source
    assert "@import" not in a_page.source
    policies = [m["content"] for m in a_page.all("meta") if "http-equiv" in m]
    assert policies[0].startswith("default-src 'none'; img-src data:;")
    assert len(a_page.source) < 3_000_000


def test_a_file_name_full_of_html_is_only_text(a_pair, tmp_path):
    volumes, prediction = a_pair
    nasty = '<script>alert(1)</script>"><img src=x onerror=y>'
    page = written(
        tmp_path / "report.html",
        volumes,
        replace(prediction, warnings=(nasty,), device=nasty),
        scans={"ct": nasty, "mr": nasty},
        card=replace(CARD, title=nasty, measured={"ct": {"liver": 0.9}, "how": nasty}),
    )
    assert not page.all("script")
    assert not page.all("img")
    assert "<script" not in page.source
    assert nasty in page.text


def test_volumes_are_those_of_the_label_maps_in_millilitres(a_pair, a_page):
    _, prediction = a_pair
    exact = [cell["title"] for cell in a_page.all("td") if cell.get("title", "").endswith(" mL")]
    volumes = {role: labels.volumes_ml() for role, labels in prediction.labels.items()}
    names = [label.name for label in TABLE]
    assert exact == [f"{volumes[role][name]:.2f} mL" for name in names for role in ("ct", "mr")]
    liver, spleen = (f"{volumes['ct'][name]:.{n}f}" for name, n in zip(names, (0, 1), strict=True))
    assert f" liver {liver} " in a_page.text
    assert f" spleen {spleen} " in a_page.text


def test_volumes_that_contradict_each_other_are_flagged(a_pair, tmp_path):
    volumes, prediction = a_pair
    labels = prediction.labels["mr"]
    array = np.where(labels.array == 1, 0, labels.array)
    array[14:-1, 18:-1, 3:9] = 1
    more = LabelMap(array=array, grid=labels.grid, table=TABLE)
    other = replace(prediction, labels=prediction.labels | {"mr": more})
    page = written(tmp_path / "report.html", volumes, other)
    least, most = prediction.labels["ct"].volumes_ml()["liver"], more.volumes_ml()["liver"]
    assert f"volumes differ by {(most - least) / most:.0%}" in page.text
    assert page.source.count('<tr class="flag">') == 2  # and the spleen, for its doubt


def test_volumes_of_an_organ_that_a_scan_cuts_are_not_compared(a_pair, tmp_path):
    volumes, prediction = a_pair
    labels = prediction.labels["mr"]
    array = np.where(labels.array == 1, 0, labels.array)
    array[16:, 20:, 4:9] = 1
    cut = LabelMap(array=array, grid=labels.grid, table=TABLE)
    other = replace(prediction, labels=prediction.labels | {"mr": cut})
    text = written(tmp_path / "report.html", volumes, other).text
    least, most = prediction.labels["ct"].volumes_ml()["liver"], cut.volumes_ml()["liver"]
    assert most > 1.2 * least
    assert "cut by the scan’s edge" in text
    assert f"volumes differ by {(most - least) / most:.0%}" not in text


def test_doubt_is_a_word_with_its_number_at_hand(a_page):
    meters = [s["title"] for s in a_page.all("span") if s.get("class") == "meter"]
    assert re.fullmatch(r"CT \d+%, MR \d+% of it in doubt", meters[0])
    doubts = re.search(r"Doubt liver .*? (low|some|high) .*? (low|some|high) ", a_page.text)
    assert doubts.groups() == ("low", "high")


def test_the_most_doubtful_place_is_the_one_where_a_review_stops_first(a_page, a_pair):
    for role, title in (("ct", "CT"), ("mr", "MR")):
        place = places_of(a_pair[1], role)[0]
        words = ", ".join(place.words)
        assert f"{title} {words[0].upper()}{words[1:]}, doubt {place.doubt:.2f}" in a_page.text
        assert place.organ == "spleen"


def test_a_sure_model_has_no_place_to_look(a_pair, tmp_path):
    volumes, prediction = a_pair
    sure = {
        role: Volume(array=np.zeros_like(doubt.array), grid=doubt.grid)
        for role, doubt in prediction.doubt.items()
    }
    page = written(tmp_path / "report.html", volumes, replace(prediction, doubt=sure))
    assert page.text.count("No place of this scan is doubtful.") == 2
    assert not page.all("circle")


def test_both_scans_are_shown_at_one_scale(a_page):
    boxes = [svg["viewbox"] for svg in a_page.all("svg")]
    assert boxes[0:3] == boxes[3:6]
    assert len(set(boxes)) == 2  # axial and coronal share one window, sagittal has its own


def test_every_picture_says_what_it_shows(a_page):
    names = [svg["aria-label"] for svg in a_page.all("svg")]
    assert names[0].startswith("CT, axial, ")
    assert names[3].startswith("MR, axial, ")
    assert names[-2].startswith("CT and MR, axial, ")
    assert all(names)


def test_a_single_scan_has_one_column_and_no_alignment(an_mr, tmp_path):
    page = written(tmp_path / "report.html", *an_mr)
    assert "MR, mL Doubt" in page.text
    assert "CT, mL" not in page.text
    assert "Alignment" not in page.text
    assert "scans disagree" not in page.text
    assert len(page.all("image")) == 10


def test_an_absent_organ_is_not_found_rather_than_zero(tmp_path):
    ct = a_scan((50, 40, 30), (2, 2, 2))
    mr = a_scan((50, 40, 12), (2, 2, 6), spleen=0)
    page = written(tmp_path / "report.html", *a_result({"ct": ct, "mr": mr}))
    assert page.text.count("not found") == 1
    assert "found in one scan only" in page.text


def test_a_scan_without_any_organ_is_still_shown(tmp_path):
    scans = {"ct": a_scan((50, 40, 30), (2, 2, 2), liver=0, spleen=0)}
    page = written(tmp_path / "report.html", *a_result(scans))
    assert page.text.count("not found") == 2
    assert len(page.all("image")) == 3 + 5


def test_an_organ_at_the_border_is_said_to_be_cut(tmp_path):
    volume, labels, doubt = a_scan((50, 40, 30), (2, 2, 2))
    array = labels.array.copy()
    array[:, 20, 0] = 1
    cut = LabelMap(array=array, grid=labels.grid, table=TABLE)
    page = written(tmp_path / "report.html", *a_result({"ct": (volume, cut, doubt)}))
    assert page.text.count("cut by the scan’s edge") == 1


def test_the_page_tells_who_made_it_and_on_what_terms(a_pair, a_page):
    for words in (
        "Tiny CT + MR version 1.2.3",
        "CT ct_16.nii.gz MR mr_22.nii.gz Date",
        "Research use, not for diagnosis.",
        "SHA-256 0123456789ab",
        "process 1843 MiB",
        "reading 1.2 s segmenting 7.5 s in all 8.8 s",
        "For research.",
        "7 cases. Held-back cases.",
        a_pair[1].alignment.sentence(),
    ):
        assert words in a_page.text
    assert a_page.text.index("The MR is very coarse.") < a_page.text.index("Volumes and doubt")


def test_only_what_the_card_measured_is_printed(a_page, an_mr, tmp_path):
    assert "Mean Dice CT liver 0.95 7 cases." in a_page.text
    bare = written(tmp_path / "bare.html", *an_mr, card=replace(CARD, measured={}))
    assert "Dice" not in bare.text


def test_dice_against_given_labels_gets_a_column(an_mr, tmp_path):
    page = written(tmp_path / "report.html", *an_mr, truth_dice={"mr": {"liver": 0.934}})
    assert "MR, mL MR, Dice Doubt" in page.text
    assert " 0.93 " in page.text


def test_a_flipped_scan_gives_the_same_pictures(a_pair, tmp_path):
    turn = np.diag([-1.0, -1, -1, 1])
    turn[:3, 3] = (49, 39, 11)

    def turned(item, **more):
        grid = Grid(shape=item.grid.shape, affine=item.grid.affine @ turn)
        return type(item)(array=np.flip(item.array).copy(), grid=grid, **more)

    volume, labels, doubt = (
        values["mr"] for values in (a_pair[0], a_pair[1].labels, a_pair[1].doubt)
    )
    stored = (volume, labels, doubt)
    other = (turned(volume), turned(labels, table=TABLE), turned(doubt))
    pages = [
        written(tmp_path / f"{n}.html", *a_result({"mr": scan}))
        for n, scan in enumerate((stored, other))
    ]
    first, second = ([i["href"] for i in page.all("image")][:3] for page in pages)
    assert first == second
    lettered = [re.findall(r'class="letter \w+">(\w+)<', page.source) for page in pages]
    assert lettered[0] == lettered[1]
    assert lettered[0][:4] == ["R", "L", "A", "P"]


def test_a_missing_scan_is_told(a_pair, tmp_path):
    volumes, prediction = a_pair
    message = "The report lacks the MR scan that was segmented; pass it along."
    with pytest.raises(BadInput, match=f"^{re.escape(message)}$"):
        written(tmp_path / "report.html", {"ct": volumes["ct"]}, prediction)


def test_a_scan_on_another_grid_is_told(a_pair, tmp_path):
    volumes, prediction = a_pair
    message = (
        "The CT scan and its label map lie on different grids; pass the scan that was segmented."
    )
    with pytest.raises(BadInput, match=f"^{re.escape(message)}$"):
        written(tmp_path / "report.html", volumes | {"ct": volumes["mr"]}, prediction)


def test_another_models_organs_are_told(a_pair, tmp_path):
    table = LabelTable(labels=(Label(value=1, name="heart", color="#000000"),))
    card = replace(CARD, table=table)
    message = (
        "The CT label map holds liver, spleen, but the model tiny finds heart; "
        "pass the card of the model that made it."
    )
    with pytest.raises(BadInput, match=f"^{re.escape(message)}$"):
        written(tmp_path / "report.html", *a_pair, card=card)


def test_a_missing_folder_is_told(a_pair, tmp_path):
    with pytest.raises(BadInput, match="for the report does not exist; create it or name another"):
        written(tmp_path / "nowhere" / "report.html", *a_pair)


def test_a_failed_write_leaves_the_old_page_and_no_draft(an_mr, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    volumes, prediction = an_mr
    with pytest.raises(UnicodeEncodeError):
        written(path, volumes, replace(prediction, device="\ud800"))
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
