"""Patients and orders of the demo, and the builder that turns a readable story into FHIR R4."""
