"""Codes and their meaning: value sets, measures, PROMIS scores, body regions."""

from cds_service.terminology import promis
from cds_service.terminology.dialect import Coding, Dialect, MappedForm, MappedItem
from cds_service.terminology.measures import Measure, Parameter, Scale
from cds_service.terminology.terminology import Terminology
from cds_service.terminology.value_sets import ValueSet

__all__ = [
    "Coding",
    "Dialect",
    "MappedForm",
    "MappedItem",
    "Measure",
    "Parameter",
    "Scale",
    "Terminology",
    "ValueSet",
    "promis",
]
