"""HL7's validation engine (HAPI FhirInstanceValidator, R4) as a function.

    from tests.validation import CRD, findings
    assert findings(resource) == []  # against base R4
    assert findings(order, f"{CRD}/profile-servicerequest") == []  # Da Vinci CRD 2.0.1

Base R4 needs the built Java tools alone; profiles need the IG packages of the shared folder too
(mark such tests with `tests.shared.needs_shared`). What `conformance/accepted_findings.yaml` lists,
each with its reason, is left out of the answer; nothing else is.
"""

import atexit
import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from cds_service.questionnaires.build import code_systems, questionnaires
from tests.java_tools import command, lacking
from tests.shared import SHARED

PACKAGES = ("davinci-crd-2.0.1.tgz", "davinci-dtr-2.0.1.tgz", "us_core_311.tgz")
CRD = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition"
ACCEPTED = Path(__file__).parent / "conformance" / "accepted_findings.yaml"


@dataclass(frozen=True)
class Finding:
    """One message of the engine: `severity` is fatal, error, warning or information."""

    severity: str
    location: str
    message: str
    id: str


class Validator:
    """The engine as a process; it knows our own Questionnaires and CodeSystems."""

    def __init__(self):
        folder = SHARED / "packages"
        packages = PACKAGES if folder.is_dir() else ()
        self._process = subprocess.Popen(
            command("Validator", "1500m", *packages, classes=[folder]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        for known in [*code_systems().values(), *questionnaires().values()]:
            self._ask({"known": known})

    def findings(self, resource, profile=None):
        """Return every message of the engine, accepted or not."""
        told = self._ask({"resource": resource, "profile": profile})
        return [Finding(**{name: one[name] or "" for name in one}) for one in told]

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _ask(self, question):
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the validator has ended; build it anew, or run it by hand to see why"
        return json.loads(line)


@cache
def validator():
    """Return the validator of this process, started when first asked for."""
    if (why := lacking()) is not None:
        pytest.skip(why)
    started = Validator()
    atexit.register(started.close)
    return started


@cache
def accepted():
    """Return what is left out: (message id, pattern of the whole message)."""
    listed = yaml.safe_load(ACCEPTED.read_text(encoding="utf-8"))
    return [(one["id"], re.compile(one["message"], re.DOTALL)) for one in listed]


def is_accepted(finding):
    return any(
        finding.id == name and pattern.fullmatch(finding.message) for name, pattern in accepted()
    )


def findings(resource, profile=None):
    """Return what the engine finds wrong with a resource of R4, beyond what is accepted.

    `profile` is the URL of a StructureDefinition in the packages; without, base R4 is asked for,
    and the profiles that the resource itself claims.
    """
    told = validator().findings(resource, profile)
    return [finding for finding in told if not is_accepted(finding)]
