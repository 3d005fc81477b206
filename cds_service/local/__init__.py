"""What one site codes in its own way: the site file, checked, as look-ups to our facts."""

from cds_service.local.check import Vocabulary
from cds_service.local.dialect import Route, Site
from cds_service.local.load import read_site
from cds_service.local.source import SiteError
from cds_service.terminology.source import Problem

__all__ = ["Problem", "Route", "Site", "SiteError", "Vocabulary", "read_site"]
