"""The spool: what was answered stays, what was cut off does not, whoever dies in between."""

import fcntl
import os

import pytest

from cds_service.store import spool as spool_module
from cds_service.store.spool import DamagedError, FullError, Spool, packed

LIMIT = 1 << 20


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


def spool_of(folder, *numbers, limit=LIMIT):
    spool = Spool(folder, limit)
    for number in numbers:
        spool.append({"id": number}, [b'{"a":\n1}', None])
    return spool


def held(segment):
    return [record.fields["id"] for record in segment.records()]


def only_file(folder):
    (path,) = folder.glob("*.spool")
    return path


def test_records_come_back_in_order_with_their_documents(folder):
    (segment,) = spool_of(folder, 1, 2).sealed()
    first, second = segment.records()
    assert (first.fields, second.fields) == ({"id": 1}, {"id": 2})
    assert first.documents == (b'{"a":\n1}', None)
    assert second.end == segment.size


def test_what_is_done_is_not_read_again(folder):
    (segment,) = spool_of(folder, 1, 2).sealed()
    segment.done = next(segment.records()).end
    assert held(segment) == [2]


def test_a_record_after_sealing_opens_another_file(folder):
    spool = spool_of(folder, 1)
    (first,) = spool.sealed()
    spool.append({"id": 2})
    assert spool.sealed() == [first], "one file at a time"
    first.remove()
    spool.forget(first)
    assert [held(segment) for segment in spool.sealed()] == [[2]]


def cut(path, size):
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize("left_out", range(1, len(packed({"id": 2}, [b'{"a":\n1}', None]))))
def test_a_tail_cut_off_anywhere_costs_that_record_alone(folder, left_out):
    spool_of(folder, 1, 2).release()
    path = only_file(folder)
    cut(path, path.stat().st_size - left_out)
    heir = Spool(folder, LIMIT)
    assert heir.adopt() == 1
    (segment,) = heir.sealed()
    assert held(segment) == [1]
    assert segment.torn == segment.size - len(packed({"id": 1}, [b'{"a":\n1}', None]))


@pytest.mark.parametrize("damage", [b"x", b"[]\n", b'{"sizes": 1}\n', b'{"sizes": [1]}\nabc\n'])
def test_damage_is_told_after_what_is_whole(folder, damage):
    spool_of(folder, 1).release()
    with only_file(folder).open("ab") as file:
        file.write(damage + packed({"id": 2}, []))
    heir = Spool(folder, LIMIT)
    heir.adopt()
    (segment,) = heir.sealed()
    found = segment.records()
    assert next(found).fields == {"id": 1}
    with pytest.raises(DamagedError):
        next(found)


def test_the_living_keep_their_files(folder):
    owner = spool_of(folder, 1)
    heir = Spool(folder, LIMIT)
    assert heir.adopt() == 0
    owner.release()
    assert heir.adopt() == 1
    assert Spool(folder, LIMIT).adopt() == 0, "one heir alone"


def test_a_file_deleted_while_it_was_opened_is_no_heritage(folder, monkeypatch):
    spool_of(folder, 1).release()
    path = only_file(folder)
    locked = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda *how: (path.unlink(), locked(*how)))
    assert Spool(folder, LIMIT).adopt() == 0


def test_the_limit_counts_what_waits(folder):
    size = len(packed({"id": 1}, []))
    spool = Spool(folder, 2 * size)
    spool.append({"id": 1})
    spool.append({"id": 2})
    with pytest.raises(FullError):
        spool.append({"id": 3})
    (segment,) = spool.sealed()
    segment.done = size
    spool.append({"id": 3})


def test_a_full_disk_leaves_no_half_record(folder, monkeypatch):
    spool = spool_of(folder, 1)
    write = os.write
    monkeypatch.setattr(spool_module.os, "write", lambda handle, data: write(handle, data[:5]))
    with pytest.raises(OSError, match="the disk took 5"):
        spool.append({"id": 2})
    monkeypatch.undo()
    spool.append({"id": 3})
    (segment,) = spool.sealed()
    assert held(segment) == [1, 3]


def test_files_are_for_their_owner_alone(folder):
    spool_of(folder, 1)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).stat().st_mode & 0o777 == 0o600
