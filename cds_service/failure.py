"""An exception in words for the log: its message may hold values of a patient and stays out."""

from __future__ import annotations

import traceback
from pathlib import PurePath

MOST_FRAMES = 40


def failure(error: BaseException | None) -> str:
    """Name an exception, its frames and its causes."""
    if error is None:
        return "no exception"
    frames = traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES)
    places = "; ".join(f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)
    cause = error.__cause__ or error.__context__
    chain = f" <- {failure(cause)}" if cause else ""
    return f"{type(error).__name__} at {places or 'no frame'}{chain}"


def _short(path: str) -> str:
    """Return folder and file: where a service is installed is nobody's business."""
    return "/".join(PurePath(path).parts[-2:])
