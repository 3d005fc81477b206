"""The key of the hash that stands for a patient."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cds_service.store.model import StoreError

NAME = "secret"
BYTES = 32


def load_secret(given: str | None, folder: Path) -> bytes:
    """Return the secret that is given, else the one in the folder, made there when it is absent.

    Raises StoreError when it can be neither read nor made.
    """
    if given:
        return given.encode()
    path = folder / NAME
    try:
        if not path.exists():
            _make(path)
        return path.read_bytes().strip()
    except OSError as error:
        words = f"{path}: {error.strerror}: make its folder writable or set MASSAGE_CDS_SECRET"
        raise StoreError(words) from None


def _make(path: Path) -> None:
    """Write a new secret; of several processes that try at once, the first one's stands."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def patient_key(secret: bytes, client: str, patient: str) -> str:
    """Return what stands for a patient of a client: HMAC-SHA-256 in hex."""
    return hmac.new(secret, f"{client}\0{patient}".encode(), hashlib.sha256).hexdigest()
