"""Site files: what is refused, where, and what to write instead; what is compiled."""

from pathlib import Path

import pytest

from cds_service.local import SiteError, Vocabulary, read_site
from cds_service.policies.in_use import vocabulary
from cds_service.policies.library import shipped
from cds_service.policies.routing import load_table

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE, GUIDE = DOCS / "examples" / "site.toml", DOCS / "site-file.md"
KNOWN = Vocabulary(
    contents=frozenset({"objective-findings"}),
    plan_codes=frozenset({"functional"}),
    programs=frozenset({"HOPE"}),
    phrases=frozenset({"maintenance"}),
    forms={"massage-safety-screen": frozenset({"EV-RF27"})},
    payors=frozenset({("CCA", "CCA-SCO"), ("KP", None)}),
)
HEAD = 'site = "A"\n'
CODE = HEAD + '[[codes]]\nsystem = "urn:x"\ncode = "1"\n'
FORM = HEAD + '[[questionnaires]]\ncanonical = "http://x/q"\n'
ITEM = FORM + '[[questionnaires.items]]\nlink = "a"\n'
PAYER = HEAD + '[[coverages]]\npayor = "A"\n'


def read(tmp_path, text, name="site.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_site(path, KNOWN)


def problem(tmp_path, text, name="site.toml"):
    with pytest.raises(SiteError) as refused:
        read(tmp_path, text, name)
    return str(refused.value)


REFUSED = {
    "no TOML": ("x = = 1", ":1: Invalid value; mend the TOML syntax"),
    "key twice": (HEAD * 2, ":2: Cannot overwrite a value; mend"),
    "no name": ("[[codes]]\n", "'site' is a required property; add it"),
    "unknown field": (CODE + 'value-sett = "pain"\n', "'value-sett' was unexpected"),
    "no meaning": (CODE, ":2: codes.0: it lacks what it means; write one of: value-set, measure"),
    "code and text": (
        CODE + 'text = "a"\nmeasure = "odi"\n',
        ":2: codes.0: code and text exclude each other; write one of: code, text",
    ),
    "code is a number": (
        HEAD + '[[codes]]\ncode = 1\nmeasure = "odi"\n',
        ":3: codes.0.code: 1 is not of type 'string'; write text in quotes",
    ),
    "unknown value set": (
        CODE + 'value-set = "low-bak-pain"\n',
        ":5: unknown value set 'low-bak-pain'; write low-back-pain",
    ),
    "unknown measure": (CODE + 'measure = "xyzzy"\n', ":5: unknown measure 'xyzzy'; see docs/"),
    "unit of another measure": (
        CODE + 'measure = "odi"\nunit = "mm"\n',
        ":6: unit 'mm' is no unit of odi; use one of: %, /100, /50",
    ),
    "unit of two scales": (
        CODE + 'measure = "odi"\nunit = "{score}"\n',
        ":6: unit '{score}' fits several scales of odi; use one of: %, /100, /50",
    ),
    "unit without measure": (
        CODE + 'value-set = "pain"\nunit = "%"\n',
        "'measure' is a dependency",
    ),
    "unit of no number": (
        CODE + 'measure = "member-satisfaction"\nscale = {min = 0, max = 5}\n',
        "member-satisfaction is no number; leave unit and scale out",
    ),
    "empty scale": (
        CODE + 'measure = "nprs"\nscale = {min = 5, max = 5}\n',
        ":6: min is not below max; write min and max as written",
    ),
    "scale upside down": (
        CODE + 'measure = "nprs"\nscale = {min = 0, max = 5, factor = -1}\n',
        ":6: factor is not above 0",
    ),
    "number that is none": (
        CODE + 'measure = "nprs"\nscale = {min = 0, max = "many"}\n',
        "write a whole number, or a decimal or fraction in quotes",
    ),
    "unknown content": (CODE + 'content = "all"\n', "unknown content of a document 'all'; use one"),
    "unknown plan code": (CODE + 'plan-code = "funktional"\n', "write functional"),
    "unknown program": (CODE + 'program = "H"\n', "unknown program 'H'; use one of: HOPE"),
    "unknown region": (CODE + 'region = "lower back"\n', "unknown region 'lower back'"),
    "code without system bar": (CODE + 'means = "97124"\n', "write system and code with a bar"),
    "mapped twice": (
        CODE + 'measure = "odi"\n[[codes]]\nsystem = "urn:x"\ncode = "1"\nvalue-set = "pain"\n',
        ":6: '1' is mapped already in line 2; put all that it means into one table",
    ),
    "form twice": (
        ITEM + 'measure = "odi"\n' + ITEM.replace(HEAD, "") + 'measure = "odi"\n',
        ":7: http://x/q is mapped already in line 2; put all items into one table",
    ),
    "item twice": (
        ITEM + 'measure = "odi"\n[[questionnaires.items]]\nlink = "a"\nmeasure = "ndi"\n',
        ":7: linkId 'a' stands twice; map each item once",
    ),
    "item of no form": (ITEM + 'item = "EV-RF27"\n', ":4: item without a form; name our form"),
    "unknown form": (
        FORM + 'form = "massage-safety"\n[[questionnaires.items]]\nlink = "a"\nitem = "b"\n',
        ":4: unknown form 'massage-safety'; write massage-safety-screen",
    ),
    "unknown form of an item": (
        ITEM + 'item = "b"\nform = "c"\n',
        ":7: unknown form 'c'; use one of: massage-safety-screen",
    ),
    "unknown item": (
        ITEM + 'form = "massage-safety-screen"\nitem = "EV-RF72"\n',
        ":7: unknown item of massage-safety-screen 'EV-RF72'; write EV-RF27",
    ),
    "item that is not scored": (
        ITEM + 'means = "http://loinc.org|8310-5"\n',
        ":6: http://loinc.org|8310-5 is no item that is scored here",
    ),
    "answers of a number": (
        ITEM + 'measure = "odi"\nanswers = {yes = "1"}\n',
        "answers are yes, no or unknown, and this is no such question; leave answers out",
    ),
    "answer twice": (
        ITEM
        + 'form = "massage-safety-screen"\nitem = "EV-RF27"\nanswers = {yes = "A", no = "a"}\n',
        ":8: answer 'a' stands twice; let each answer mean one thing",
    ),
    "unknown phrase list": (
        HEAD + '[[phrases]]\nlist = "maintainance"\nphrases = ["x"]\n',
        ":3: unknown phrase list 'maintainance'; write maintenance",
    ),
    "unknown payor": (
        PAYER + 'is = {payor = "CCB"}\n',
        "unknown payor of the table of payers 'CCB'",
    ),
    "unknown product": (
        PAYER + 'is = {payor = "CCA", product = "SCO"}\n',
        ":4: unknown product of CCA 'SCO'; write CCA-SCO",
    ),
    "code that no search can ask for": (
        HEAD + '[search]\nmeasures = ["a b"]\n',
        "write codes without system; no space, comma",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    text, expected = REFUSED[name]
    assert expected in problem(tmp_path, text)


def test_every_problem_is_told_at_once(tmp_path):
    text = CODE + 'value-set = "xxx"\n[[phrases]]\nlist = "yyy"\nphrases = ["x"]\n'
    assert len(problem(tmp_path, text).splitlines()) == 2


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SiteError, match="cannot be read; name a TOML or YAML file in UTF-8"):
        read_site(tmp_path / "none.toml", KNOWN)


YAML = """\
site: A
codes:
  - system: urn:x
    code: "1"
    value-set: pain
questionnaires:
  - canonical: http://x/q
    items:
      - {link: a, measure: odi}
      - link: b
        measure: ndi
"""


class TestYaml:
    def test_says_the_same_as_toml(self, tmp_path):
        site = read(tmp_path, YAML, "site.yaml")
        assert site.via([("urn:x", "1")], ()) == "site file line 3: local code 1 -> value set pain"
        assert site.via_item("http://x/q|2", "b") == "site file line 10: item b -> measure ndi"

    def test_is_refused_in_the_same_way(self, tmp_path):
        wrong = YAML.replace("value-set: pain", "value-set: pane")
        assert ":5: unknown value set 'pane'; write pain" in problem(tmp_path, wrong, "site.yml")

    def test_keys_that_stand_twice(self, tmp_path):
        assert ":2: 'site' stands twice" in problem(tmp_path, "site: A\nsite: B\n", "a.yaml")

    def test_no_yaml(self, tmp_path):
        assert "mend the YAML syntax" in problem(tmp_path, "site: [", "a.yaml")


@pytest.mark.parametrize(
    "written",
    [
        'site = "A"\n\n[[questionnaires]]\ncanonical = "http://x/q"\nitems = [\n'
        '  {link = "a", measure = "odi"},\n  # more\n  {link = "b", measure = "ndi"},\n]\n',
        'site = "A"\n[[questionnaires]]\ncanonical = "http://x/p"\n[[questionnaires.items]]\n'
        'link = "a"\nmeasure = "odi"\n[[questionnaires]] # two\ncanonical = "http://x/q"\n'
        '[[questionnaires.items]]\nlink = "b"\nmeasure = "ndi"\n',
    ],
)
def test_lines_of_toml(tmp_path, written):
    line = next(n for n, one in enumerate(written.splitlines(), 1) if '"b"' in one)
    told = read(tmp_path, written).via_item("http://x/q", "b")
    assert told in {f"site file line {at}: item b -> measure ndi" for at in (line, line - 1)}


def test_the_example_of_the_documentation_loads():
    site = read_site(EXAMPLE, vocabulary(shipped(), load_table()))
    assert site.name == "Example Hospital"
    assert site.told.startswith(f"{len(site.meanings)} codes and words, 8 items")


def blocks():
    """Yield the TOML blocks of the guide, each as a file of its own."""
    for part in GUIDE.read_text(encoding="utf-8").split("```toml\n")[1:]:
        text = part.partition("```")[0]
        yield text if text.startswith("site =") else HEAD + text


@pytest.mark.parametrize("text", list(blocks()))
def test_what_the_guide_writes_loads(tmp_path, text):
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    site = read_site(path, vocabulary(shipped(), load_table()))
    assert site.told != "0 codes and words, 0 items of questionnaires, 0 phrases, 0 products"


def test_the_guide_quotes_the_line_of_its_example(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(next(blocks()), encoding="utf-8")
    site = read_site(path, KNOWN)
    via = site.via([("https://hospital.example.org/flowsheet", "302")], ())
    assert f"(via {via})" in GUIDE.read_text(encoding="utf-8")
