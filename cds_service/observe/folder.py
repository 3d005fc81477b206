"""The folder in which the worker processes of one service add up their measurements."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def shared_folder(parent: Path) -> Iterator[Path]:
    """Give a fresh folder of this process, made known to its workers; it goes at the end.

    What services that were killed left in `parent` goes too. What is absent is made for its owner
    alone, also the folder that `parent` lies in. Raises OSError.
    """
    folder = parent / str(os.getpid())
    parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # parents=True minds no mode
    parent.mkdir(mode=0o700, exist_ok=True)
    for left in parent.iterdir():
        if left == folder or not (left.name.isdigit() and lives(int(left.name))):
            shutil.rmtree(left, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.environ[VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(folder, ignore_errors=True)


def lives(pid: int) -> bool:
    """Whether there is a process of that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
