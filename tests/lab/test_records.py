"""Recordings are followed while they are written."""

from __future__ import annotations

import pytest

from haman.lab.records import Recording, Request, Short

HEAD = '{"began": 1.0, "start": 1.0, "interval": 0.001}\n'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "udp.records"


def test_a_file_that_is_not_there_yet_has_nothing_in_it(path):
    recording = Recording(path, Request)
    recording.read()
    assert (recording.head, recording.records, recording.covered) == ({}, [], 0.0)


def test_what_was_added_is_read_once(path):
    recording = Recording(path, Request)
    path.write_text(HEAD + '[0,1.000100,1.000300,"rs1"]\n{"covered": 1.5, "dropped": 0}\n')
    recording.read()
    recording.read()
    with path.open("a") as file:
        file.write('[1,1.001100,null,""]\n{"covered": 1.75, "dropped": 2}\n{"ended": 2.0, "sent": 2}\n')
    recording.read()
    assert recording.records == [Request(0, 1.0001, 1.0003, "rs1"), Request(1, 1.0011, None, "")]
    assert (recording.covered, recording.marks[-1]["dropped"]) == (1.75, 2)
    assert (recording.head["interval"], recording.tail["sent"]) == (0.001, 2)


def test_half_a_line_waits_for_its_other_half(path):
    recording = Recording(path, Request)
    path.write_text(HEAD + "[0,1.0001")
    recording.read()
    assert recording.records == []
    with path.open("a") as file:
        file.write('00,1.000300,"rs1"]\n')
    recording.read()
    assert recording.records == [Request(0, 1.0001, 1.0003, "rs1")]


def test_old_records_can_be_forgotten(path):
    recording = Recording(path, Short)
    path.write_text('[80,1.0,1.2,"ok","rs1"]\n[80,3.0,3.2,"ok","rs1"]\n')
    recording.read()
    recording.drop_before(2.0)
    assert [record.begun for record in recording.records] == [3.0]
