"""Our Questionnaires: what structured data cannot show is asked in one form (DESIGN 16)."""

from cds_service.questionnaires.build import CANONICAL_BASE, code_systems, questionnaires
from cds_service.questionnaires.serve import questionnaire_blueprint

__all__ = ["CANONICAL_BASE", "code_systems", "questionnaire_blueprint", "questionnaires"]
