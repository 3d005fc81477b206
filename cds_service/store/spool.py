"""A worker's own files: every answer is written here before it leaves.

A spool is a folder of files. Each belongs to one living process, which holds a lock on it; a file
without a lock is what a dead process left, and anyone may take it over. A record is a header line
in JSON and its documents, whose sizes the header gives: they are never parsed again on their way to
the database. A record that was cut off by the end of a process had not been answered.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import orjson

SUFFIX = ".spool"
SIZES = "sizes"
END = b"\n"


class DamagedError(Exception):
    """A spool file that does not hold records from some place on."""


class FullError(Exception):
    """The spool has reached its limit."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to keep: fields, documents by order, and where in the file it ends."""

    fields: Mapping[str, Any]
    documents: tuple[bytes | None, ...]
    end: int


def packed(fields: Mapping[str, Any], documents: Sequence[bytes | None]) -> bytes:
    """Return a record as bytes."""
    sizes = [-1 if document is None else len(document) for document in documents]
    header = orjson.dumps({SIZES: sizes, **fields})
    return b"".join((header, END, *(part for part in documents if part is not None), END))


@dataclass
class Segment:
    """One file whose lock we hold; `done` bytes are in the database."""

    path: Path
    handle: int
    size: int = 0
    done: int = 0
    torn: int = field(default=0, init=False)

    def append(self, record: bytes) -> None:
        """Write a record in one call, or nothing; raises OSError."""
        try:
            written = os.write(self.handle, record)
        except OSError:
            self._cut()
            raise
        if written != len(record):
            self._cut()
            raise OSError(f"{self.path.name}: the disk took {written} of {len(record)} bytes")
        self.size += written

    def _cut(self) -> None:
        with suppress(OSError):
            os.ftruncate(self.handle, self.size)

    def records(self) -> Iterator[Record]:
        """Yield what is not done yet; a cut-off tail ends it and counts in `torn`.

        Raises DamagedError, OSError.
        """
        with self.path.open("rb") as file:
            file.seek(self.done)
            start = self.done
            while line := file.readline():
                record = self._record(file, line)
                if record is None:
                    self.torn = self.size - start
                    return
                start = record.end
                yield record

    def _record(self, file: Any, line: bytes) -> Record | None:
        if not line.endswith(END):
            return None
        try:
            header = orjson.loads(line)
            sizes = header.pop(SIZES)
            documents = tuple(None if size < 0 else file.read(size) for size in sizes)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise DamagedError(f"no record before byte {file.tell()}") from error
        whole = all(
            len(doc or b"") == max(size, 0) for doc, size in zip(documents, sizes, strict=True)
        )
        end = file.read(1)
        if not whole or not end:
            return None
        if end != END:
            raise DamagedError(f"no end of record before byte {file.tell()}")
        return Record(header, documents, file.tell())

    def remove(self) -> None:
        """Delete the file; raises OSError."""
        self.path.unlink(missing_ok=True)
        self.release()

    def set_aside(self) -> Path:
        """Keep the file under another name for a person to look at; raises OSError."""
        aside = self.path.with_suffix(".damaged")
        self.path.rename(aside)
        self.release()
        return aside

    def release(self) -> None:
        """Give up the lock."""
        with suppress(OSError):
            os.close(self.handle)


class Spool:
    """The files of this process in a folder; `limit` bytes are the most that may wait in them."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.name = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._lock = Lock()
        self._current: Segment | None = None
        self._sealed: list[Segment] = []
        self._count = 0

    @property
    def waiting(self) -> int:
        """Bytes that are not in the database yet."""
        segments = [*self._sealed, *([self._current] if self._current else [])]
        return sum(segment.size - segment.done for segment in segments)

    def append(self, fields: Mapping[str, Any], documents: Sequence[bytes | None] = ()) -> None:
        """Write one record; raises FullError and OSError, and then nothing is written."""
        record = packed(fields, documents)
        with self._lock:
            if self.waiting + len(record) > self.limit:
                raise FullError(f"{self.limit} bytes wait in {self.folder}")
            if self._current is None:
                self._current = self._opened()
            self._current.append(record)

    def _opened(self) -> Segment:
        """Make a file, locked before it has its name: no one takes it for a dead one's."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._count += 1
        path = self.folder / f"{self.name}-{self._count:06d}{SUFFIX}"
        new = path.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(path)
        return Segment(path, handle)

    def sealed(self) -> list[Segment]:
        """Return the files to move to the database, oldest first; the next record opens another."""
        with self._lock:
            if self._current and not self._sealed:
                self._sealed.append(self._current)
                self._current = None
            return list(self._sealed)

    def forget(self, segment: Segment) -> None:
        """Drop a file that is done with."""
        with self._lock:
            self._sealed.remove(segment)

    def adopt(self) -> int:
        """Take over the files of dead processes; return how many."""
        found = [
            segment for path in sorted(self.folder.glob(f"*{SUFFIX}")) if (segment := _taken(path))
        ]
        with self._lock:
            self._sealed.extend(found)
        return len(found)

    def release(self) -> None:
        """Give up all files; what they hold stays for whoever adopts them."""
        with self._lock:
            for segment in [*self._sealed, *([self._current] if self._current else [])]:
                segment.release()
            self._sealed, self._current = [], None


def _taken(path: Path) -> Segment | None:
    """Return a file whose owner is dead; None for one that someone holds or has just deleted."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        about = os.fstat(handle)
        if about.st_nlink:
            return Segment(path, handle, about.st_size)
    except OSError:
        pass
    os.close(handle)
    return None
