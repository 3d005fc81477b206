"""The demo's page: an EHR in small that signs a massage order and shows what comes back."""

from cds_service.web.outside import Outside
from cds_service.web.routes import web_blueprint

__all__ = ["Outside", "web_blueprint"]
