"""The page of counts as the server renders it."""

from datetime import date

import pytest
from flask import Flask

from cds_service.insight import Section
from cds_service.sandbox import SandboxStore
from cds_service.web import web_blueprint
from cds_service.web.insight import Days, Source, Told, insight_blueprint
from cds_service.web.navigation import navigation

TODAY = date(2026, 3, 16)
TABLE = Section("missing", "Missing", ("Item", "Id", "Count"), (("<b>A form</b>", "X-D1", "3"),))


class Asked:
    """Tells the same whatever is asked, and notes what was asked."""

    def __init__(self, *tables, answers=3, down=False, least=1):
        self.days = []
        self.made = None if down else Told("3", answers, ["a", "b"], tables, least)

    def told(self, days):
        self.days.append(days)
        return self.made

    def csv(self, days):
        self.days.append(days)
        return "section,count\n" if self.made else None

    @property
    def client(self):
        app = Flask("pages", static_folder=None)
        app.context_processor(lambda: {"navigation": navigation()})
        app.register_blueprint(web_blueprint(SandboxStore([])))
        app.register_blueprint(insight_blueprint(Source(self.told, self.csv, lambda: TODAY)))
        return app.test_client()


def test_last_thirty_days_are_asked_about_unless_others_are():
    asked = Asked(TABLE)
    asked.client.get("/insight")
    asked.client.get("/insight?from=2026-01-01&to=&service=a")
    asked.client.get("/insight?from=")
    assert asked.days == [
        Days(date(2026, 2, 15), TODAY),
        Days(date(2026, 1, 1), None, "a"),
        Days(),
    ]


def test_tables_are_told_as_text():
    text = Asked(TABLE, least=5).client.get("/insight").text
    assert "&lt;b&gt;A form&lt;/b&gt;" in text
    assert "Counts below 5 are not told." in text
    assert 'aria-current="page">Insight' in text


def test_empty_store_says_how_to_fill_it():
    answer = Asked(answers=0).client.get("/insight")
    assert answer.status_code == 200
    assert "Nothing yet" in answer.text


@pytest.mark.parametrize("path", ["/insight", "/insight/insight.csv"])
@pytest.mark.parametrize(
    ("query", "words"),
    [("from=yesterday", "year-month-day"), ("from=2026-03-02&to=2026-03-01", "after the last")],
)
def test_range_that_cannot_be_is_told(path, query, words):
    answer = Asked(TABLE).client.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert words in answer.text


@pytest.mark.parametrize("path", ["/insight", "/insight/insight.csv"])
def test_database_that_is_down_is_told(path):
    answer = Asked(down=True).client.get(path)
    assert answer.status_code == 503
    assert "cannot be read now" in answer.text


def test_csv_comes_as_a_file():
    asked = Asked(TABLE)
    answer = asked.client.get("/insight/insight.csv?from=2026-01-01&to=2026-01-31")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == "attachment; filename=insight-2026-03-16.csv"
    assert asked.days == [Days(date(2026, 1, 1), date(2026, 1, 31))]
