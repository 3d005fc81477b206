"""Counts in words: what is told, what is too small to be told, what never is."""

import csv
from dataclasses import replace
from datetime import date
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.insight import Teller, as_csv
from cds_service.policies.library import default_library
from cds_service.store import ResultGiven
from cds_service.store.insight import NOTHING, Latency, span_of
from cds_service.store.tables import ACCESS
from tests.unit.store_help import HL7, NOON, OURS, guidance, opened, rows

CCA = "cca-mng-084"


def sections(least=1, **counts):
    teller = Teller(default_library(), least)
    return {made.id: made.rows for made in teller.sections(replace(NOTHING, **counts))}


def test_ids_are_told_in_words():
    found = sections(
        determinations={(CCA, "covered"): 7, ("", "conditional"): 2, ("gone", "covered"): 1},
        missing={("CCA-D2",): 4, ("G-16",): 1, ("GONE-D1",): 1},
        flags={("OVERLAY-DVT", "ED-now", "hold"): 3},
    )
    assert found["determinations"] == (
        ("No policy applied", "Cannot be confirmed yet", "2"),
        (f"Commonwealth Care Alliance ({CCA})", "Criteria appear met", "7"),
        ("gone", "Criteria appear met", "1"),
    )
    assert [row[1:] for row in found["missing"]] == [
        ("CCA-D2", "4"),
        ("G-16", "1"),
        ("GONE-D1", "1"),
    ]
    assert found["missing"][0][0].startswith("PROMIS-29")
    assert found["flags"][0][2:] == ("Emergency department now", "holds the order", "3")


def test_parameters_in_the_words_are_filled_in():
    policies = default_library()
    rules = [rule for name in policies.ids() for rule in policies.versions[name][0].safety]
    spoken = [rule.id for rule in rules if "{$" in rule.text]
    assert spoken
    told = sections(flags={(name, "caution", "none"): 1 for name in spoken})["flags"]
    assert [row[1] for row in told] == spoken
    assert not [row for row in told if "{" in row[0]]


def test_small_counts_are_not_told():
    found = sections(5, missing={("CCA-D2",): 4, ("G-16",): 5}, feedback={("accepted",): 1})
    assert [row[-1] for row in found["missing"]] == ["fewer than 5", "5"]
    assert found["feedback"] == (("Suggestion accepted", "fewer than 5"),)


@pytest.mark.parametrize(("answers", "told"), [(4, 0), (5, 3)])
def test_time_of_few_answers_is_not_told(answers, told):
    assert len(sections(5, latency=Latency(answers, 10.4, 20, 30))["latency"]) == told


def test_reasons_are_told_by_meaning_and_free_text_never():
    found = sections(
        overrides={
            ("safety", OURS, "evaluated-not-present"): 1,
            ("coverage", HL7, "policy-contradicts"): 1,
            ("coverage", OURS, "clinical-judgement"): 1,
            ("coverage", HL7, "patient-refuses"): 1,
            ("", "urn:other", "=Ann Ash, born 1980"): 1,
            ("coverage", "", ""): 1,
        }
    )["overrides"]
    assert set(found) == {
        ("Evaluated, not present", "safety", "1"),
        ("Clinical judgement", "coverage", "2"),
        ("Patient refuses", "coverage", "1"),
        ("Another reason", "card not known", "1"),
        ("No reason given", "coverage", "1"),
    }


def test_csv_is_one_table_in_which_no_cell_is_a_formula():
    teller = Teller(default_library(), 1)
    counts = {"answers": {("=cmd()",): 2}, "missing": {("CCA-D2",): 4}}
    text = as_csv(teller.sections(replace(NOTHING, **counts)))
    head, *found = list(csv.reader(StringIO(text)))
    assert (head[0], head[-1]) == ("section", "count")
    assert {len(row) for row in found} == {len(head)}
    assert ["Answers by service", "'=cmd()", "", "", "", "2"] in found


def test_span_holds_both_days_at_the_site():
    found = span_of(date(2026, 3, 8), date(2026, 3, 8), service=None, zone=ZoneInfo("US/Eastern"))
    assert (found.start.isoformat(), found.end.isoformat()) == (
        "2026-03-08T00:00:00-05:00",
        "2026-03-09T00:00:00-04:00",
    )


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_days_at_the_ends_of_the_calendar_are_asked_about_too(tmp_path, zone):
    span = span_of(date.min, date.max, service=None, zone=ZoneInfo(zone))
    with opened(tmp_path) as store:
        store.record(guidance(results=(ResultGiven(CCA, "covered"),)))
        assert store.insight(span).orders == 1


class TestCommand:
    def run(self, folder, *arguments, **environ):
        variables = {"MASSAGE_CDS_STATE": str(folder)}
        variables |= {f"MASSAGE_CDS_{name}": value for name, value in environ.items()}
        made = CliRunner().invoke(main, ["store", "insight", *arguments], env=variables)
        assert made.exit_code == 0, made.output
        return made.output

    @pytest.fixture
    def folder(self, tmp_path):
        with opened(tmp_path) as store:
            for number in range(6):
                came_to = ResultGiven(CCA, "conditional", ("CCA-D2",) if number else ())
                store.record(guidance(number, results=(came_to,), given=NOON))
            store.flush()
        return tmp_path

    def test_tells_counts_and_notes_that_it_was_asked(self, folder):
        told = self.run(folder)
        assert told.startswith("6 orders reviewed\n")
        assert "5  PROMIS-29" in told
        with opened(folder) as store:
            assert [row.action for row in rows(store, ACCESS)] == ["insight"]

    def test_least_count_is_a_setting(self, folder):
        told = self.run(folder, INSIGHT_LEAST="6")
        assert "fewer than 6  PROMIS-29" in told

    def test_days_and_csv(self, folder):
        told = self.run(folder, "--from", "2026-03-17", "--csv", INSIGHT_LEAST="1")
        assert "Determinations" not in told
        told = self.run(folder, "--to", "2026-03-16", "--csv", INSIGHT_LEAST="1")
        assert "Determinations by payer,Commonwealth Care Alliance (cca-mng-084)" in told
