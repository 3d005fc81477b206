from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cds_service.settings import Settings, SettingsError, documentation, load_settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def toml(tmp_path, text):
    path = tmp_path / "massage-cds.toml"
    path.write_text(text, encoding="utf-8")
    return {"MASSAGE_CDS_CONFIG": str(path)}


def test_an_empty_environment_gives_the_defaults():
    assert load_settings({}) == Settings()
    assert Settings().timezone == ZoneInfo("America/New_York")
    assert Settings().deadline == 4
    assert Settings().max_body == 10 * 1024 * 1024
    assert Settings().families == ("review", "crd")


def test_variables_are_read():
    read = load_settings(
        {
            "MASSAGE_CDS_TIMEZONE": "Europe/Berlin",
            "MASSAGE_CDS_DEADLINE": "1.5",
            "MASSAGE_CDS_CORS_ORIGINS": "https://EHR.example.org, http://localhost:8092",
            "MASSAGE_CDS_FAMILIES": "review",
            "MASSAGE_CDS_PUBLIC_URL": "https://cds.example.org/base/",
            "UNRELATED": "x",
        }
    )
    assert read.timezone == ZoneInfo("Europe/Berlin")
    assert read.deadline == 1.5
    assert read.cors_origins == ("https://ehr.example.org", "http://localhost:8092")
    assert read.families == ("review",)
    assert read.public_url == "https://cds.example.org/base"


def test_a_file_is_read_and_the_environment_wins(tmp_path):
    file = toml(tmp_path, 'deadline = 2\nmax_pages = 7\ncors_origins = ["https://a.example"]\n')
    read = load_settings(file | {"MASSAGE_CDS_MAX_PAGES": "9"})
    assert (read.deadline, read.max_pages) == (2, 9)
    assert read.cors_origins == ("https://a.example",)


def test_an_empty_variable_is_one_that_is_not_set():
    empty = {"MASSAGE_CDS_PUBLIC_URL": "", "MASSAGE_CDS_CORS_ORIGINS": ""}
    assert load_settings(empty) == Settings()


def test_paths_have_to_exist(tmp_path):
    payers = tmp_path / "payers.yaml"
    payers.write_text("[]", encoding="utf-8")
    read = load_settings({"MASSAGE_CDS_PAYERS": str(payers), "MASSAGE_CDS_POLICIES": str(tmp_path)})
    assert (read.payers, read.policies) == (payers, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEZONE", "EST5NOWHERE"),
        ("TIMEZONE", "../etc/passwd"),
        ("TIMEZONE", ""),
        ("DEADLINE", "soon"),
        ("DEADLINE", "0"),
        ("DEADLINE", "nan"),
        ("DEADLINE", ""),
        ("FETCH_WORKERS", "1.5"),
        ("FETCH_WORKERS", "0"),
        ("MAX_BODY", "10MB"),
        ("MAX_PAGES", "-1"),
        ("PUBLIC_URL", "cds.example.org"),
        ("PUBLIC_URL", "https://user@cds.example.org"),
        ("PAYERS", "/nowhere/payers.yaml"),
        ("POLICIES", "/nowhere"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("CORS_ORIGINS", "https://a.example;https://b.example"),
        ("FAMILIES", "review,other"),
        ("FAMILIES", ""),
        ("HOOK_VERSION", "one"),
        ("THREADS", "many"),
        ("STATE", __file__),
        ("KEEP_REQUESTS", "all"),
        ("RETENTION", "0"),
        ("SPOOL_LIMIT", "1"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(name, value):
    with pytest.raises(SettingsError) as caught:
        load_settings({f"MASSAGE_CDS_{name}": value})
    words = str(caught.value)
    assert f"MASSAGE_CDS_{name}" in words
    assert repr(value) in words
    assert "write" in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("deadlin = 4", "write deadline"),
        ("zzz = 4", "settings are"),
        ("deadline = ", "no TOML"),
        ("deadline = true", "from 0.1 to 60"),
        ("deadline = [4]", "from 0.1 to 60"),
        ("threads = 1.5", "whole number"),
        ("deadline = 2026-01-01", "from 0.1 to 60"),
        ("[deadline]\nx = 1", "from 0.1 to 60"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, text, words):
    with pytest.raises(SettingsError) as caught:
        load_settings(toml(tmp_path, text))
    assert words in str(caught.value)
    assert "massage-cds.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(SettingsError, match=r"MASSAGE_CDS_CONFIG.*nowhere"):
        load_settings({"MASSAGE_CDS_CONFIG": "/nowhere.toml"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECRET", "shortsecret"), ("DATABASE_URL", "mysql://cds:shortsecret@host/name")],
)
def test_a_bad_secret_is_refused_without_telling_it(name, value):
    with pytest.raises(SettingsError, match=f"MASSAGE_CDS_{name}: the value.*write") as caught:
        load_settings({f"MASSAGE_CDS_{name}": value})
    assert "shortsecret" not in str(caught.value)


def test_secrets_show_in_no_repr(tmp_path):
    file = tmp_path / "secret"
    file.write_text("a secret of the site\n", encoding="utf-8")
    url = "postgresql://cds:hidden@host/name"
    read = load_settings({"MASSAGE_CDS_SECRET": str(file), "MASSAGE_CDS_DATABASE_URL": url})
    assert (read.secret.value, read.database_url.value) == ("a secret of the site", url)
    assert "secret of" not in repr(read)
    assert "hidden" not in repr(read)


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        Settings().deadline = date(2026, 1, 1)  # type: ignore[misc, assignment]


def test_the_page_of_settings_is_current():
    assert PAGE.read_text(encoding="utf-8") == documentation(), (
        "run: python -m cds_service.settings > docs/settings.md"
    )


def test_servers_of_the_demo_are_a_list_of_base_urls():
    given = "https://a.example.org/fhir/, http://127.0.0.1:9090/fhir"
    found = load_settings({"MASSAGE_CDS_DEMO_FHIR_SERVERS": given})
    assert found.demo_fhir_servers == ("https://a.example.org/fhir", "http://127.0.0.1:9090/fhir")
    with pytest.raises(SettingsError, match="write an absolute URL"):
        load_settings({"MASSAGE_CDS_DEMO_FHIR_SERVERS": "a.example.org"})
    with pytest.raises(SettingsError, match="with https"):
        load_settings({"MASSAGE_CDS_DEMO_FHIR_SERVERS": "http://a.example.org/fhir"})
