"""Patients that nobody here wrote, with a coverage under each payer and a massage order."""

from datetime import date, timedelta
from functools import cache

from cds_service.policies.library import default_library
from cds_service.policies.routing import load_table
from fhir_fixtures.fhir import coding, hl7, system
from tests.spec.records import last_day, name_of, patient_resources, shifted

PAYERS = load_table()
UNDATED = date(2021, 1, 1)


def in_force():
    """Return a day on which every policy is in force."""
    library = default_library()
    starts = [version.start for name in library.ids() for version in library.versions[name]]
    return max(starts) + timedelta(days=100)


class Signed:
    """A patient with a coverage under each payer, and a massage order of one day."""

    def __init__(self, path, prefix, day=None):
        resources = patient_resources(path)
        seen = date.fromisoformat(last_day(resources) or UNDATED.isoformat())
        self.day = day or seen
        resources = shifted(resources, (self.day - seen).days)
        (patient,) = (r["id"] for r in resources if r["resourceType"] == "Patient")
        self.patient, self.prefix = f"{prefix}{patient}", prefix
        self.resources = [self._renamed(one, patient) for one in resources]
        self.coverages = [self._coverage(one, at) for at, one in enumerate(PAYERS)]
        payors = {p["id"]: p for p in map(self._payor, PAYERS)}
        self.resources += [*self.coverages, *payors.values()]
        self.known = {name_of(one) for one in self.resources}

    def _renamed(self, value, patient):
        """Return resources under ids of their own: each patient is on the server twice."""
        if isinstance(value, list):
            return [self._renamed(item, patient) for item in value]
        if not isinstance(value, dict):
            return value
        made = {name: self._renamed(item, patient) for name, item in value.items()}
        if isinstance(made.get("id"), str) and "resourceType" in made:
            made["id"] = f"{self.prefix}{made['id']}"
        reference = made.get("reference")
        if isinstance(reference, str) and reference.count("/") == 1:
            kind, _, name = reference.partition("/")
            made["reference"] = f"{kind}/{self.prefix}{name}"
        return made

    def _coverage(self, payer, at):
        return {
            "resourceType": "Coverage",
            "id": f"{self.patient}-{at}",
            "status": "active",
            "beneficiary": {"reference": f"Patient/{self.patient}"},
            "payor": [{"reference": f"Organization/{self._payor(payer)['id']}"}],
            "class": [{"type": hl7("coverage-class", "plan"), "value": payer.plan}],
        }

    def _payor(self, payer):
        identifier, value = payer.payor
        return {
            "resourceType": "Organization",
            "id": f"{self.prefix}payor-{value.lower()}",
            "identifier": [{"system": identifier, "value": value}],
        }

    def order(self, coverage):
        return {
            "resourceType": "ServiceRequest",
            "id": f"{self.patient}-order",
            "status": "draft",
            "intent": "order",
            "code": {"coding": [coding(system("cpt"), "97124")]},
            "subject": {"reference": f"Patient/{self.patient}"},
            "authoredOn": self.day.isoformat(),
            "insurance": [{"reference": name_of(coverage)}],
        }

    def request(self, coverage):
        entry = [{"resource": self.order(coverage)}]
        return {
            "hook": "order-sign",
            "hookInstance": "3fa1c7a4-5a0e-4f9e-9d3a-6b0d7c1f2e11",
            "context": {
                "userId": "Practitioner/somebody",
                "patientId": self.patient,
                "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": entry},
            },
            "extension": {"massage-cds.explain": True},
        }


WHEN = {"then": None, "now": in_force()}


@cache
def signed_of(path, when):
    return Signed(path, f"{when}-", WHEN[when])
