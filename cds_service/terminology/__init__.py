"""Codes and their meaning: value sets, measures, PROMIS scores, body regions."""

from cds_service.terminology.terminology import Coding, Terminology
from cds_service.terminology.value_sets import ValueSet

__all__ = ["Coding", "Terminology", "ValueSet"]
