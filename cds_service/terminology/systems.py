"""Code systems: their canonical URLs and the other names that records give them."""

from __future__ import annotations

import re
from functools import lru_cache

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NUCC = "http://nucc.org/provider-taxonomy"
NPI = "http://hl7.org/fhir/sid/us-npi"
SOPT = "https://nahdo.org/sopt"

NAMES = {
    ICD10CM: "ICD-10-CM",
    SNOMED: "SNOMED CT",
    RXNORM: "RxNorm",
    LOINC: "LOINC",
    CPT: "CPT",
    HCPCS: "HCPCS",
    ICD10PCS: "ICD-10-PCS",
    NUCC: "NUCC",
}
"""What people call a code system."""

# Level I of HCPCS is CPT; claims add modifiers to a code, and some orders keep them.
_LEVEL_ONE = re.compile(r"(\d{5})(?:[- ][A-Z0-9]{2})*")
_OID = "urn:oid:2.16.840.1.113883.6."

ALIASES = {
    # US records sometimes leave the "-cm" off. WHO's ICD-10 shares the categories and most
    # four-character codes with ICD-10-CM, and a US payer's patient has no other ICD-10.
    "http://hl7.org/fhir/sid/icd-10": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-us": ICD10CM,
    f"{_OID}90": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-pcs": ICD10PCS,
    f"{_OID}4": ICD10PCS,
    f"{_OID}96": SNOMED,
    f"{_OID}88": RXNORM,
    f"{_OID}1": LOINC,
    f"{_OID}12": CPT,
    f"{_OID}285": HCPCS,
    f"{_OID}101": NUCC,
    "http://ama-assn.org/go/cpt": CPT,
    "http://purl.bioontology.org/ontology/rxnorm": RXNORM,
    "http://hl7.org/fhir/sid/hcpcs": HCPCS,
    "http://cms.gov/medicare/coding/hcpcsreleasecodesets": HCPCS,
    "http://www.nucc.org/provider-taxonomy": NUCC,
    "http://nucc.org/provider-taxonomy": NUCC,
    "http://nahdo.org/sopt": SOPT,
    "urn:oid:2.16.840.1.113883.3.221.5": SOPT,
}
_CANONICAL = {
    url.lower(): url for url in (ICD10CM, ICD10PCS, SNOMED, RXNORM, LOINC, CPT, HCPCS, NUCC)
}
_KNOWN = {**{name.lower(): url for name, url in ALIASES.items()}, **_CANONICAL}


def normal_system(system: str | None) -> str | None:
    """Return the canonical URL of a code system under any name we know, else the name itself.

    OIDs, https in place of http, a closing slash, a version after "|" and, for SNOMED CT, an
    edition in the URL make no difference.
    """
    return _normal(system) if isinstance(system, str) and system else None


@lru_cache(maxsize=1024)
def _normal(system: str) -> str:
    name = system.split("|", 1)[0].strip().rstrip("/").lower()
    if name.startswith("https://"):
        name = f"http://{name[8:]}"
    if name.startswith("http://snomed.info/sct/"):
        return SNOMED
    return _KNOWN.get(name, system)


def normal_code(system: str, code: str) -> str:
    """Return a code as the look-ups hold it: ICD-10-CM without dot, every code trimmed."""
    code = code.strip()
    return code.replace(".", "").upper() if system == ICD10CM else code


def normal(system: str | None, code: object) -> tuple[str, str] | None:
    """Return canonical system and code as the look-ups hold them; None where either is lacking.

    A CPT code is one also under HCPCS, whose first level it is, and with modifiers behind it.
    """
    canonical = normal_system(system)
    if canonical is None or not isinstance(code, str):
        return None
    if canonical in (CPT, HCPCS) and (found := _LEVEL_ONE.fullmatch(code.strip().upper())):
        return CPT, found[1]
    return canonical, normal_code(canonical, code)
