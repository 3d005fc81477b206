"""What the service tells of itself: a line for each call, metrics, probes; never of a patient."""

from cds_service.observe.call import Call, correlation, current, step

__all__ = ["Call", "correlation", "current", "step"]
