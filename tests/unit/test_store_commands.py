"""massage-cds store: what an operator sees."""

from datetime import UTC, datetime

from click.testing import CliRunner

from cds_service.cli import main
from cds_service.store.tables import ACCESS
from tests.unit.store_help import count, guidance, opened, rows

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def run(folder, *arguments, **environ):
    variables = {"MASSAGE_CDS_STATE": str(folder), **environ}
    return CliRunner().invoke(main, ["store", *arguments], env=variables)


def table(result):
    assert result.exit_code == 0, result.output
    return {
        name.strip(): int(n)
        for name, _, n in (r.rpartition(" ") for r in result.output.splitlines())
    }


def test_migrate_makes_the_tables_and_status_counts_them(tmp_path):
    assert table(run(tmp_path, "status")) == {"revisions behind": 2}
    assert run(tmp_path, "migrate").output == "the tables are up to date\n"
    with opened(tmp_path) as store:
        store.record(guidance())
    counted = table(run(tmp_path, "status"))
    assert (counted["guidance"], counted["card"], counted["revisions behind"]) == (1, 2, 0)


def test_status_says_that_there_is_no_store_and_makes_none(tmp_path):
    told = run(tmp_path / "none", "status")
    assert told.exit_code == 1
    assert "there is no store at" in told.output
    assert "massage-cds store migrate" in told.output
    assert not (tmp_path / "none").exists()


def test_prune_keeps_to_the_retention(tmp_path):
    with opened(tmp_path) as store:
        store.record(guidance(given=LONG_AGO))
        store.flush()
        assert table(run(tmp_path, "prune", MASSAGE_CDS_RETENTION="36500"))["guidance"] == 0
        assert table(run(tmp_path, "prune"))["guidance"] == 1
        assert [row.action for row in rows(store, ACCESS)] == ["prune", "prune"]


def test_days_go_before_the_setting(tmp_path):
    with opened(tmp_path) as store:
        store.record(guidance(given=LONG_AGO))
        store.flush()
        assert table(run(tmp_path, "prune", "--days", "36500"))["guidance"] == 0
        assert count(store) == 1


def test_a_database_that_is_down_is_told_in_one_line(tmp_path):
    url = "postgresql://cds:hidden@127.0.0.1:1/cds"
    result = run(tmp_path, "prune", MASSAGE_CDS_DATABASE_URL=url)
    assert result.exit_code == 1
    assert "the database cannot be used now" in result.output
    assert "hidden" not in result.output
