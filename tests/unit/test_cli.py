import json
import socket
from contextlib import closing
from datetime import date
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from cds_service import cli
from cds_service.auth.keys import SANDBOX_FILE
from cds_service.cli import main
from cds_service.evaluation import Evaluation
from tests.hook_calls import REQUEST, changed

EXAMPLE = str(Path(__file__).parents[2] / "docs" / "examples" / "site.toml")
EVALUATION = Evaluation(
    ("ServiceRequest/sr-1",), date(2026, 3, 16), "Coverage/c", None, "conditional"
)


def run(*arguments, **environ):
    return CliRunner().invoke(main, list(map(str, arguments)), env=environ)


@pytest.fixture
def explained(monkeypatch):
    calls = []

    def explain(request, record):
        calls.append((request, record))
        return [EVALUATION]

    monkeypatch.setattr(cli, "review_once", explain)
    return calls


def written(tmp_path, name, value):
    path = tmp_path / name
    path.write_bytes(value if isinstance(value, bytes) else orjson.dumps(value))
    return path


def commands(group, *path):
    """Yield the words of a command and of all below it."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


COMMANDS = sorted(commands(main))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


READING = [
    ["policies", "list"],
    ["policies", "show", "x"],
    ["policies", "test"],
    ["site", "check", EXAMPLE],
    ["store", "migrate"],
    ["store", "status"],
    ["store", "access"],
    ["store", "prune"],
    ["store", "insight"],
    ["crd", "metrics"],
    ["crd", "trace", "x"],
]


@pytest.mark.parametrize("command", READING, ids=lambda words: " ".join(words[:2]))
def test_a_setting_that_cannot_be_used_is_told_in_one_line(command):
    result = run(*command, MASSAGE_CDS_DEADLINE="soon")
    assert result.exit_code == 1
    assert result.output.startswith("Error: MASSAGE_CDS_DEADLINE: 'soon' cannot be used")


def test_an_unknown_command_is_wrong_usage():
    assert run("dance").exit_code == 2
    assert run("serve", "--port", "many").exit_code == 2


def test_serve_needs_clients_or_open():
    result = run("serve")
    assert result.exit_code == 1
    assert "--open" in result.output
    assert "MASSAGE_CDS_CLIENTS" in result.output


def free_port():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_serve_refuses_clients_that_cannot_be_used(tmp_path):
    port = free_port()
    clients = written(tmp_path, "clients.toml", b"[[client]]\niss = 1\n")
    variables = {"MASSAGE_CDS_CLIENTS": str(clients), "MASSAGE_CDS_STATE": str(tmp_path)}
    result = run("serve", "--port", port, **variables)
    assert result.exit_code == 1
    assert f"{clients}:2: client 1: iss" in result.output
    keys = SANDBOX_FILE.read_bytes()
    written(tmp_path, "keys.json", keys)
    written(tmp_path, "clients.toml", b'[[client]]\niss = "https://a.example"\njwks = "keys.json"')
    result = run("serve", "--port", port, **variables)
    assert result.exit_code == 1
    assert "Sandbox" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ehr.example.org"])
def test_open_refuses_to_be_reached_from_others(host):
    result = run("serve", "--open", "--host", host)
    assert result.exit_code == 2
    assert host in result.output
    assert "127.0.0.1" in result.output


@pytest.mark.parametrize("command", [["demo"], ["serve", "--open"]])
def test_a_port_in_use_is_told_in_one_line(command):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(*command, PORT=str(port))
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert f"127.0.0.1:{port}" in result.output
    assert "--port" in result.output


@pytest.mark.parametrize("command", [["demo"], ["serve", "--open"]])
def test_a_state_folder_that_cannot_be_made_is_told_in_one_line(command, tmp_path):
    state = written(tmp_path, "file", b"") / "state"
    result = run(*command, "--port", free_port(), MASSAGE_CDS_STATE=str(state))
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert str(state) in result.output
    assert "MASSAGE_CDS_STATE" in result.output


def test_a_bad_setting_is_told_in_one_line():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = run("serve", "--open", "--port", port, MASSAGE_CDS_DEADLINE="soon")
    assert result.exit_code == 1
    assert "MASSAGE_CDS_DEADLINE" in result.output
    assert "Traceback" not in result.output


def test_explain_tells_people(explained, tmp_path):
    result = run("explain", written(tmp_path, "request.json", REQUEST))
    assert result.exit_code == 0
    assert "Determination: conditional" in result.output
    ((request, record),) = explained
    assert request.patient_id == "p1"
    assert record is None


def test_explain_gives_json_and_takes_a_record(explained, tmp_path):
    record = written(tmp_path, "record.json", {"resourceType": "Bundle", "entry": []})
    request = written(tmp_path, "request.json", REQUEST)
    result = run("explain", request, "--record", record, "--json")
    assert json.loads(result.output) == [EVALUATION.as_json()]
    assert explained[0][1] == {"resourceType": "Bundle", "entry": []}


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        (b"{", "not JSON"),
        (changed("context.patientId"), "context.patientId"),
        (changed("context.draftOrders.entry", [7]), "entry[0]"),
    ],
)
def test_explain_names_file_place_and_remedy(explained, tmp_path, request_body, words):
    path = written(tmp_path, "request.json", request_body)
    result = run("explain", path)
    assert result.exit_code == 1
    assert words in result.output
    assert str(path) in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("record", [b"[]", {"resourceType": "Patient"}])
def test_explain_refuses_a_record_that_is_no_bundle(explained, tmp_path, record):
    path = written(tmp_path, "record.json", record)
    result = run("explain", written(tmp_path, "request.json", REQUEST), "--record", path)
    assert result.exit_code == 1
    assert str(path) in result.output


def test_explain_without_its_file_is_wrong_usage(tmp_path):
    assert run("explain", tmp_path / "nowhere.json").exit_code == 2
