"""Code systems under the names that records give them, and codes as claims write them."""

from __future__ import annotations

import pytest

from cds_service.evidence.scope import kind_of, procedure_codes
from cds_service.terminology import Terminology
from cds_service.terminology.systems import CPT, HCPCS, ICD10PCS, normal

HCPCS_OID = "urn:oid:2.16.840.1.113883.6.285"


def ordered(system: str, code: str) -> dict[str, object]:
    return {
        "resourceType": "ServiceRequest",
        "code": {"coding": [{"system": system, "code": code}]},
    }


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (CPT, "97124"),
        ("urn:oid:2.16.840.1.113883.6.12", "97124"),
        (HCPCS, "97124"),
        (HCPCS_OID, "97124"),
        (CPT, "97124-GP"),
        (CPT, " 97124 GP 59"),
    ],
)
def test_cpt_under_its_other_names_and_with_modifiers(system: str, code: str) -> None:
    terminology = Terminology.load()
    assert procedure_codes(ordered(system, code), terminology) == {"97124"}
    assert kind_of(ordered(system, code), terminology) == "triggers"


@pytest.mark.parametrize("code", ["9712", "971245", "97124-GPX", "97124GP", "97124-"])
def test_what_only_looks_like_a_cpt_code_is_none(code: str) -> None:
    assert kind_of(ordered(CPT, code), Terminology.load()) is None


def test_the_second_level_of_hcpcs_stays_what_it_is() -> None:
    assert normal(HCPCS_OID, "G0283") == (HCPCS, "G0283")


@pytest.mark.parametrize(
    "system", ["http://hl7.org/fhir/sid/icd-10-pcs", "urn:oid:2.16.840.1.113883.6.4"]
)
def test_icd_10_pcs_under_its_other_names(system: str) -> None:
    assert normal(system, "0SRC0J9") == (ICD10PCS, "0SRC0J9")
