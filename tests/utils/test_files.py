"""Files are whole or not there, also when the disk or a limit stops them; JSON is read strictly."""

import csv
import os
import subprocess
import sys

import pytest

from passion_monai.utils.files import (
    NotWrittenError,
    read_json_object,
    reading_table,
    whole_file,
    whole_files,
)
from passion_monai.utils.texts import parse_json
from tests.helpers.limits import largest_file


def test_a_file_too_large_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        largest_file(1000),
        pytest.raises(NotWrittenError, match=r"a\.txt cannot be written: the file is larger"),
        whole_file(path) as draft,
    ):
        draft.write_bytes(bytes(2000))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_files_that_belong_together_appear_together(tmp_path):
    with whole_files([tmp_path / "map", tmp_path / "record"]) as (labels, record):
        labels.write_text("map")
        assert list(tmp_path.glob("[!.]*")) == []
        record.write_text("record")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map", "record"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_one_that_fails_takes_the_other_with_it(tmp_path, overwrite):
    if overwrite:
        (tmp_path / "map").write_text("old")
    (tmp_path / "record").mkdir()  # cannot be replaced by a file
    (tmp_path / "record" / "x").touch()
    before = sorted(path.name for path in tmp_path.rglob("*"))

    def write():
        with whole_files([tmp_path / "map", tmp_path / "record"]) as (labels, record):
            labels.write_text("new")
            assert not record.exists()  # and stays so

    with pytest.raises(FileNotFoundError):
        write()
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    if overwrite:
        assert (tmp_path / "map").read_text() == "old"


def test_drafts_of_killed_processes_are_removed_and_a_file_set_aside_comes_back(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    pid, alive = dead.stdout.strip(), os.getppid()
    for name in (f".map.{pid}", f".record.{pid}.old", f".map.{alive}", f".mapped.{pid}", ".map.txt"):
        (tmp_path / name).write_text(name)
    with whole_files([tmp_path / "map", tmp_path / "record"]) as (labels, record):
        assert (tmp_path / "record").read_text() == f".record.{pid}.old"
        labels.write_text("new")
        record.write_text("new")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [f".map.{alive}", f".mapped.{pid}", ".map.txt", "map", "record"]
    )


def test_a_name_too_long(tmp_path):
    with pytest.raises(NotWrittenError, match="the name is too long"), whole_file(tmp_path / ("x" * 300)) as draft:
        draft.write_text("x")


def test_a_file_that_cannot_be_read_is_not_called_unwritable(tmp_path):
    def read():
        raise PermissionError(13, "Permission denied", "/somewhere/else/scan.nii")

    with pytest.raises(PermissionError) as caught, whole_file(tmp_path / "a"):
        read()
    assert caught.value.filename == "/somewhere/else/scan.nii"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', r"gives the key 'c' twice: mend it"),
        ("[" * 100_000, r"nested too deeply to be read: mend it"),
        ("{", r"no valid JSON .*: mend it"),
        (b"\xff\xfe{", r"no valid JSON .*: mend it"),
    ],
)
def test_json_that_is_refused(text, message):
    with pytest.raises(ValueError, match=f"a.json .*{message}"):
        parse_json(text, "a.json", "mend it")


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_json_object(tmp_path / "a.json") == {"a": 1}


@pytest.mark.parametrize("content", [f"a,b\n{'x' * 200_000},1\n".encode(), b"a,b\n\xff,1\n"])
def test_a_table_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.csv is no t"), path.open(encoding="utf-8") as file, reading_table(path):
        list(csv.reader(file))
