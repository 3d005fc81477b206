"""What a record says of a patient, and where a text repeats any of it."""

import re

SHORTEST = 4
"""Shorter values are not looked for: an age of 54, a score of 66 or "L5" stand in any log as
milliseconds, line numbers or words. Such a value tells nothing without what it belongs to, and
that is looked for: names, dates, references, codes and their texts are all longer."""

# Members whose values are words of FHIR itself, and the same for every patient.
GENERIC = {
    "category",
    "class",
    "clinicalStatus",
    "fhirVersion",
    "gender",
    "hook",
    "hookInstance",
    "intent",
    "kind",
    "language",
    "linkId",
    "method",
    "mode",
    "priority",
    "profile",
    "relation",
    "resourceType",
    "status",
    "system",
    "token_type",
    "type",
    "unit",
    "use",
    "verificationStatus",
}


def patient_values(node):
    """Return every value of a record or request that could tell of a patient."""
    return {text for text in _leaves(node) if len(text) >= SHORTEST}


def _leaves(node):
    if isinstance(node, dict):
        for key, item in node.items():
            if key not in GENERIC:
                yield from _leaves(item)
    elif isinstance(node, list):
        for item in node:
            yield from _leaves(item)
    elif not isinstance(node, bool) and node is not None:
        yield from _forms(str(node))


def _forms(text):
    """Yield a value and what may be said in its place: the id of a reference, the day of a time."""
    yield text.strip()
    parts = text.split("/")
    if len(parts) > 1 and " " not in text:
        yield parts[-1]
    if re.match(r"\d{4}-\d\d-\d\dT", text):
        yield text[:10]


# What every log and measurement holds: moments, ids of calls, times by step, lines of code, and the
# service's own name and those of policies. A patient's value may look like part of one.
_OWN = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r'|"(?:ms|wait|caller|parse|prefetch|fetch|review|cards|store)":[\d.e-]+'
    r'|le="[\d.+Inf]+"'
    r"|(?<=\}) [\d.e+-]+$|^massage_cds\w+ [\d.e+-]+$"
    r"|\.py:\d+"
    r"|massage[-_](?:cds|order)[\w-]*|(?:evicore|kpwa)-massage[\w-]*",
    re.MULTILINE,
)


def repeated(values, text):
    """Return which values a text repeats, as words of their own, in whatever case."""
    held = _OWN.sub(" ", text).lower()
    return {
        value
        for value in values
        if (low := value.lower()) in held
        and re.search(rf"(?<![a-z0-9]){re.escape(low)}(?![a-z0-9])", held)
    }
