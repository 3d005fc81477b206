"""The measure catalogue: look-ups, units and groups."""

from fractions import Fraction

import pytest

from cds_service.terminology import Terminology

TERMINOLOGY = Terminology.load()
LOCAL = "https://massage-cds.example.org/fhir/CodeSystem/measures"
FORMS = "https://massage-cds.example.org/fhir/Questionnaire"


def convert(measure, value, unit):
    return TERMINOLOGY.convert(measure, Fraction(value), unit)


@pytest.mark.parametrize(
    ("measure", "value", "unit", "expected", "scale"),
    [
        ("temperature", "38.6", "Cel", Fraction("101.48"), "[degF]"),
        ("temperature", "38.7", "Cel", Fraction("101.66"), "[degF]"),
        ("temperature", "101.5", "[degF]", Fraction("101.5"), "[degF]"),
        ("temperature", "38.6", None, Fraction("101.48"), "[degF]"),
        ("weight", "10", "[lb_av]", Fraction("4.5359237"), "kg"),
        ("weight", "80", "kg", Fraction(80), "kg"),
        ("ndi", "18", "{score}", Fraction(36), "0-100"),
        ("ndi", "36", "%", Fraction(36), "0-100"),
        ("odi", "40", "%", Fraction(40), "0-100"),
        ("odi", "60", "{score}", Fraction(60), "0-100"),
        ("lefs", "80", "{score}", Fraction(80), "0-80"),
        ("promis-anxiety", "57.7", "{T-score}", Fraction("57.7"), "t-score"),
        ("promis-physical-function", "22.5", "{score}", Fraction("22.5"), "t-score"),
        ("platelets", "140000", "/uL", Fraction(140), "10*9/L"),
        ("platelets", "140", "10*3/uL", Fraction(140), "10*9/L"),
        ("platelets", "140", "x10E3/uL", Fraction(140), "10*9/L"),
        ("platelets", "140", "Thousand/uL", Fraction(140), "10*9/L"),
        ("hba1c", "9.4", "% of total Hgb", Fraction("9.4"), "percent"),
        ("egfr", "12", "mL/min/1.73", Fraction(12), "mL/min/1.73m2"),
        ("temperature", "102", "deg F", Fraction(102), "[degF]"),
        ("oxygen-saturation", "88", "%{O2}", Fraction(88), "percent"),
        ("weight", "80", "kg{dry}", Fraction(80), "kg"),
        ("height", "70", "[in_i]", Fraction("177.8"), "cm"),
    ],
)
def test_conversion_is_exact(measure, value, unit, expected, scale):
    assert convert(measure, value, unit) == (expected, scale)


def test_a_temperature_in_fahrenheit_reads_exactly_in_celsius():
    found = TERMINOLOGY.measure("temperature").written(Fraction("101.5"), "Cel")
    assert found == Fraction(695, 18)
    assert round(float(found), 3) == 38.611


@pytest.mark.parametrize(
    ("measure", "value", "unit"),
    [
        ("nprs", "11", "{score}"),
        ("nprs", "-1", None),
        ("temperature", "150", "[degF]"),
        ("temperature", "38", "kg"),
        ("ndi", "60", "{score}"),
        ("lefs", "81", "{score}"),
        ("promis-anxiety", "14", "{raw}"),
        ("promis-pain-interference", "20", "{score}"),
        ("promis-physical-function", "20", None),
        ("egfr", "12", "mL/s/{1.73_m2}"),
    ],
)
def test_what_cannot_be_is_no_value(measure, value, unit):
    assert convert(measure, value, unit) is None
    assert TERMINOLOGY.measure(measure).canonical(Fraction(value), unit) == ()


@pytest.mark.parametrize(
    ("measure", "value", "unit", "expected"),
    [("odi", 20, "{score}", {20, 40}), ("ndi", 20, None, {20, 40}), ("ndi", 60, None, {60})],
)
def test_every_value_that_can_be_meant_is_given(measure, value, unit, expected):
    assert set(TERMINOLOGY.measure(measure).canonical(Fraction(value), unit)) == expected


@pytest.mark.parametrize(
    ("system", "code", "measure"),
    [
        ("http://loinc.org", "72514-3", "nprs"),
        ("urn:oid:2.16.840.1.113883.6.1", "97909-6", "odi"),
        ("http://loinc.org", "71961-7", "promis-pain-interference"),
        ("http://loinc.org", "77865-4", "promis-pain-interference"),
        (LOCAL, "pain-days-per-week", "pain-days-per-week"),
        (LOCAL, "rom-cervical-rotation", "rom-cervical-rotation"),
    ],
)
def test_codes_name_measures(system, code, measure):
    assert [one.id for one in TERMINOLOGY.measures_coded([(system, code)])] == [measure]


def test_rejected_and_foreign_codes_name_none():
    codes = ["72102-7", "72101-9", "89195-5", "71968-5", "71948-7", "61863-7", "77859-7", "71971-6"]
    assert TERMINOLOGY.measures_coded([("http://loinc.org", code) for code in codes]) == ()
    assert TERMINOLOGY.measures_coded([(None, "72514-3")]) == ()


def test_forms_name_measures_by_item():
    answered = TERMINOLOGY.measures_answered([f"{FORMS}/odi|2.1a"], "97909-6")
    assert [one.id for one in answered] == ["odi"]
    answered = TERMINOLOGY.measures_answered([f"{FORMS}/lefs", "lefs"], "lefs-score")
    assert [one.id for one in answered] == ["lefs"]
    assert TERMINOLOGY.measures_answered(["lefs"], "other") == ()


def test_groups_and_ids_make_one_list():
    assert TERMINOLOGY.measures_of(["odi", "adl"])[0] == "odi"
    assert TERMINOLOGY.measures_of(["odi", "odi"]) == ("odi",)
    assert TERMINOLOGY.group("pain-and-function") >= TERMINOLOGY.group("function")
    with pytest.raises(KeyError, match="no-such"):
        TERMINOLOGY.measures_of(["no-such"])


def test_every_measure_is_well_formed():
    for measure in TERMINOLOGY.measures.values():
        names = {measure.mcid, measure.mic} - {None}
        assert names <= TERMINOLOGY.parameters.keys(), measure.id
        assert measure.better in {"lower", "higher", "none"}, measure.id
        assert measure.forms or measure.kind in {"boolean", "code"}, measure.id
        assert measure.groups, measure.id


def test_proposed_numbers_wait_for_sign_off():
    assert all(one.configured and one.note for one in TERMINOLOGY.parameters.values())
    assert TERMINOLOGY.parameters["mcid-ndi"].value == 15
    assert TERMINOLOGY.parameters["mcid-dash"].value == Fraction("10.8")


def test_percent_of_a_t_score_is_taken_on_the_raw_sum():
    physical = TERMINOLOGY.measure("promis-physical-function")
    assert physical.percent_of_raw
    assert (physical.ideal, physical.raw_ideal) == (None, 20)
    assert not TERMINOLOGY.measure("odi").percent_of_raw


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("8310-5", ["temperature"]),
        ("8333-7", ["temperature"]),  # of the eardrum
        ("75539-7", ["temperature"]),  # of the temporal artery
        ("39106-0", []),  # of the skin, which says nothing of a fever
        ("8302-2", ["height"]),
    ],
)
def test_a_body_temperature_wherever_it_was_taken(code, found):
    assert [one.id for one in TERMINOLOGY.measure_of("http://loinc.org", code)] == found
