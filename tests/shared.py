"""Material that lies beside the checkout and is not part of it."""

import os
from pathlib import Path

import pytest

VARIABLE = "MASSAGE_CDS_SHARED"
SHARED = Path(os.environ.get(VARIABLE) or Path(__file__).resolve().parents[2] / "shared")

# Tests that read SHARED carry this mark; without the folder they are left out and counted.
needs_shared = pytest.mark.shared
