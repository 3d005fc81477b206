"""Body regions and sides."""

import pytest

from cds_service.terminology import Terminology

TERMINOLOGY = Terminology.load()
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
ARM = {"shoulder", "upper-arm", "elbow", "forearm", "wrist-hand"}
LEG = {"hip", "upper-leg", "knee", "lower-leg", "ankle-foot"}


@pytest.mark.parametrize(
    ("code", "regions", "side"),
    [
        ("M54.2", {"neck"}, None),
        ("M54.50", {"low-back"}, None),
        ("M54.12", {"neck"}, None),
        ("M48.50XA", {"neck", "upper-back", "low-back"}, None),
        ("M48.56XA", {"low-back"}, None),
        ("M25.511", {"shoulder"}, "right"),
        ("M25.562", {"knee"}, "left"),
        ("M25.569", {"knee"}, None),
        ("M79.661", {"lower-leg"}, "right"),
        ("M79.645", {"wrist-hand"}, "left"),
        ("M79.602", ARM, "left"),
        ("I82.401", LEG, "right"),
        ("I82.403", LEG, None),
        ("I82.A12", ARM, "left"),
        ("M80.08XA", {"neck", "upper-back", "low-back"}, None),
        ("S82.201A", {"lower-leg"}, "right"),
        ("S72.145A", {"hip", "upper-leg"}, "left"),
        ("S82.62XA", {"lower-leg", "ankle-foot"}, "left"),
        ("S22.31XA", {"chest", "upper-back"}, None),
        ("M84.374A", {"ankle-foot"}, None),
        ("M80.051A", {"hip", "upper-leg"}, "right"),
        ("M80.88XA", {"neck", "upper-back", "low-back"}, None),
        ("M86.162", {"lower-leg"}, "left"),
        ("M46.26", {"low-back"}, None),
        ("M67.431", {"wrist-hand"}, "right"),
        ("M67.40", set(), None),
        ("B35.1", {"wrist-hand", "ankle-foot"}, None),
        ("B35.9", set(), None),
        ("C41.2", {"neck", "upper-back", "low-back"}, None),
        ("C43.72", LEG, "left"),
        ("I80.01", LEG, "right"),
        ("L03.115", LEG, "right"),
        ("L02.11", {"neck"}, None),
        ("L02.212", {"upper-back", "low-back"}, None),
        ("L02.512", {"wrist-hand"}, "left"),
        ("L03.311", {"abdomen"}, None),
        ("L03.312", {"upper-back", "low-back"}, None),
        ("L02.223", {"chest"}, None),
        ("S21.112A", {"chest"}, None),
        ("S31.110A", {"abdomen"}, None),
        ("S31.010A", {"low-back", "pelvis"}, None),
        ("S32.810A", {"pelvis", "hip"}, None),
        ("S32.501A", {"pelvis", "hip"}, None),
        ("S31.501A", {"pelvis"}, None),
        ("S81.812A", {"lower-leg"}, "left"),
        ("T24.211A", LEG, "right"),
        ("M97.12XA", {"knee"}, "left"),
        ("M19.91", set(), None),
        ("E11.9", set(), None),
    ],
)
def test_regions_of_icd_10_cm(code, regions, side):
    assert TERMINOLOGY.regions_of([(ICD, code)]) == (frozenset(regions), side)


@pytest.mark.parametrize(
    ("text", "regions", "side"),
    [
        ("right lower leg", {"lower-leg"}, "right"),
        ("lumbar", {"low-back"}, None),
        ("Left upper arm", {"upper-arm"}, "left"),
        ("back", {"upper-back", "low-back"}, None),
        ("both knees", {"knee"}, None),
        ("left and right calf", {"lower-leg"}, None),
        ("neck and left shoulder", {"neck", "shoulder"}, "left"),
        ("somewhere", set(), None),
        ("", set(), None),
        (None, set(), None),
    ],
)
def test_regions_of_words(text, regions, side):
    assert TERMINOLOGY.regions_of([], text) == (frozenset(regions), side)


def test_a_code_tells_the_region_and_words_the_side():
    found = TERMINOLOGY.regions_of([(SNOMED, "30021000")], "right lower leg")
    assert found == (frozenset({"lower-leg"}), "right")


def test_a_laterality_code_tells_the_side():
    codings = [(SNOMED, "72696002"), (SNOMED, "7771000")]
    assert TERMINOLOGY.regions_of(codings, None) == (frozenset({"knee"}), "left")


def test_a_clot_of_the_leg_covers_an_order_for_the_lower_leg():
    clot, side = TERMINOLOGY.regions_of([(ICD, "I82.401")])
    site, at = TERMINOLOGY.regions_of([(SNOMED, "30021000")], "right lower leg")
    assert site <= clot
    assert side == at


def test_every_region_has_a_name():
    for text in ("whole body", "arm", "leg", "back", "trunk", "buttock"):
        found, _ = TERMINOLOGY.regions_of([], text)
        assert found
        assert found <= TERMINOLOGY.region_names


@pytest.mark.parametrize(
    ("code", "regions"),
    [
        ("5913000", {"hip", "upper-leg"}),
        ("127287001", {"hip", "upper-leg"}),
        ("18040001", {"neck", "upper-back", "low-back", "chest", "hip"}),
        ("254838004", {"chest"}),
        ("399068003", {"pelvis"}),
        ("93761005", {"abdomen"}),
        ("203444008", set()),
        ("94704006", set()),
    ],
)
def test_regions_of_snomed_ct(code, regions):
    assert TERMINOLOGY.regions_of([(SNOMED, code)]) == (frozenset(regions), None)
