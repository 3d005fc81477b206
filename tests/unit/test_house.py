"""The house: who may import whom, what the decision core never touches, what no file may hold."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cds_service", "cards", "fhir_fixtures")

# From left to right; a room imports from its own row and the rows above it.
ROWS = [
    {"transport", "failure"},
    {"terminology", "local"},
    {"record"},
    {"evidence"},
    {"evaluation"},
    {"policies"},
    {"review"},
    {"comparison", "course"},
    {"pictured"},
    {"cards", "reasoning", "crd"},
    {"guidance"},
    {"reviewer"},
    {"crd_review", "crd_pages"},
    {"crd_services"},
    {"services", "policy_tests", "exploring", "insight"},
    {"card_page", "demo", "demo_pages"},
    {"observing"},
    {"app", "gateway"},
    {"server"},
    {"console"},
    {"crd_report"},
    {"cli"},
]
RANK = {room: place for place, row in enumerate(ROWS) for room in row}
LEAVES = {"settings", "hooks", "observe", "questionnaires", "sandbox", "web", "auth", "store"}
OPEN = {"transport", "failure"}
ASSEMBLERS = {
    "app",
    "card_page",
    "cli",
    "console",
    "crd_pages",
    "crd_report",
    "crd_review",
    "crd_services",
    "demo",
    "demo_pages",
    "exploring",
    "guidance",
    "insight",
    "observing",
    "reviewer",
    "services",
    "server",
    "policy_tests",
}
CORE = ("terminology", "local", "evidence", "evaluation", "policies", "review", "cards")
FORBIDDEN_IN_CORE = {"flask", "requests", "werkzeug", "socket", "time", "random"}
CLOCKS = {"now", "utcnow", "today"}
LONGEST = 400

MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def room(name):
    """Return the room of a dotted module name; None for a package that is not ours."""
    parts = name.split(".")
    if parts[0] == "cards":
        return "cards"
    if parts[0] == "cds_service":
        return parts[1] if len(parts) > 1 else None
    return "fhir_fixtures" if parts[0] == "fhir_fixtures" else None


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Yield the dotted names that a module imports; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(importer, targets):
    """Return the rooms that a room may not import."""
    return sorted(target for target in targets if not may_import(importer, target))


def may_import(importer, target):
    if target == importer:
        return True
    if importer == "fhir_fixtures":
        return False
    if target == "fhir_fixtures":
        return importer in ASSEMBLERS | {"sandbox"}
    if target in LEAVES:
        return importer in ASSEMBLERS
    if target in OPEN:
        return True
    if importer in LEAVES:
        return importer == "web" and RANK[target] < RANK["services"]
    return RANK[target] <= RANK[importer]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
class TestModule:
    def test_has_a_place_in_the_house(self, path):
        own = room(dotted(path))
        known = RANK.keys() | LEAVES | {"fhir_fixtures", None}
        assert own in known, f"give {own} a row in ROWS or a place in LEAVES"

    def test_imports_from_rooms_to_its_left(self, path):
        own = room(dotted(path))
        targets = {room(name) for name in imported(path)} - {None}
        assert wrong_imports(own, targets) == [] if own else not targets

    def test_is_short(self, path):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LONGEST, f"{lines} lines: one concept a module"


def test_rule_of_imports_bites():
    assert wrong_imports("evidence", {"record", "terminology"}) == []
    assert wrong_imports("evidence", {"policies", "settings"}) == ["policies", "settings"]
    assert wrong_imports("hooks", {"record", "cards"}) == ["cards", "record"]
    assert wrong_imports("hooks", {"failure", "observe"}) == ["observe"]
    assert wrong_imports("failure", {"record"}) == ["record"]
    assert wrong_imports("cards", {"evaluation", "services"}) == ["services"]
    assert wrong_imports("app", {"hooks", "sandbox", "services"}) == []


CORE_MODULES = [path for path in MODULES if room(dotted(path)) in CORE]


@pytest.mark.parametrize("path", CORE_MODULES, ids=dotted)
def test_decision_core_has_no_web_no_network_no_clock(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & FORBIDDEN_IN_CORE
    assert not clocks_read(path.read_text(encoding="utf-8"))


def clocks_read(source):
    """Return the calls like `date.today()` in a source text."""
    calls = [n.func for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    return [
        ast.unparse(call)
        for call in calls
        if isinstance(call, ast.Attribute)
        and call.attr in CLOCKS
        and ast.unparse(call.value).split(".")[-1] in {"date", "datetime"}
    ]


def test_clock_is_found():
    assert clocks_read("import datetime\nday = datetime.date.today()") == ["datetime.date.today"]
    assert clocks_read("label = facts.today()") == []


MACHINE_PATH = re.compile(r"(?<![\w./~<>{}-])/(?:root|home|work|farm|tmp)/[\w.-]+")
BINARY = {".png", ".jpg", ".ico", ".woff2", ".gz"}


def own_files():
    """Return every file that belongs to the project."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    paths = [ROOT / name for name in names] or [p for p in MODULES if p.is_file()]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY]


def test_no_file_names_a_path_of_some_machine():
    found = {
        str(path.relative_to(ROOT)): hits
        for path in own_files()
        if (hits := MACHINE_PATH.findall(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_machine_path_is_found():
    folder = "/ho" + "me"
    assert MACHINE_PATH.findall(f"see {folder}/somebody/notes")
    assert not MACHINE_PATH.findall(f"https://example.org{folder}/page and a/work/b")
