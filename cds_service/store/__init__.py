"""What must be kept: guidance given, feedback on it, tokens already used.

The contract alone is imported here: SQLAlchemy loads with `cds_service.store.opening`.
"""

from cds_service.store.model import (
    CardGiven,
    FeedbackGiven,
    Guidance,
    NullStore,
    ResultGiven,
    Store,
    StoreError,
)
from cds_service.store.setup import Setup

__all__ = [
    "CardGiven",
    "FeedbackGiven",
    "Guidance",
    "NullStore",
    "ResultGiven",
    "Setup",
    "Store",
    "StoreError",
]
