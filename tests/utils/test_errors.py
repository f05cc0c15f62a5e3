"""Of a chain of errors, people read our own words; what a terminal would act upon is escaped."""

import errno
import json

import pytest

from passion_monai.utils.errors import best_error, one_line
from passion_monai.utils.files import read_json_object
from passion_monai.utils.messages import printable
from passion_monai.utils.names import safe_name


def chained(inner, outer):
    """As config machinery does: an error of a library around one that was raised below."""
    try:
        try:
            inner()
        except Exception as error:
            raise outer from error
    except Exception as error:
        return error


def test_our_words_are_found_below_the_config_machinery():
    error = chained(lambda: safe_name("a/b", "case"), RuntimeError("Failed to evaluate ConfigExpression"))
    assert one_line(best_error(error)).startswith("case 'a/b' is a path")


def test_our_words_are_not_passed_on_the_way_to_the_deepest_cause(tmp_path):
    (tmp_path / "a.json").write_text("{")  # json's own error lies below ours
    error = chained(lambda: read_json_object(tmp_path / "a.json"), RuntimeError("Failed to parse"))
    said = one_line(best_error(error))
    assert said.startswith(f"{tmp_path / 'a.json'} is no valid JSON (")
    assert said.endswith("restore it, or delete it")


def test_without_words_of_ours_the_deepest_of_a_library_counts():
    error = chained(lambda: json.loads("{"), RuntimeError("Failed"))
    assert "Expecting property name" in one_line(best_error(error))
    assert best_error(RuntimeError("a bug")) is None
    assert best_error(KeyError("a bug")) is None


def test_permission_belongs_to_it():
    def denied():
        raise PermissionError(errno.EACCES, "Permission denied", "scan.nii.gz")

    error = chained(denied, RuntimeError("applying transform <...>"))
    assert one_line(best_error(error)) == "scan.nii.gz: you have no permission"


def test_an_error_of_a_loading_process_is_a_text():
    from torch.utils.data import DataLoader

    class Bad:
        def __len__(self):
            return 1

        def __getitem__(self, index):
            try:
                safe_name("a/b", "case")
            except ValueError as error:
                raise RuntimeError("applying transform <Load object at 0x1>") from error

    with pytest.raises(RuntimeError) as caught:
        list(DataLoader(Bad(), num_workers=1))
    assert one_line(best_error(caught.value)).startswith("case 'a/b' is a path, expected a name")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "x: the name is too long for this disk"),
        (MemoryError(), "not enough memory: close other programs, or use a larger machine"),
        (RecursionError("maximum recursion depth exceeded"), "a file is nested too deeply to be read"),
        (ValueError("name\x1b]0;owned\x07\n next"), r"name\x1b]0;owned\x07 next"),
    ],
)
def test_one_line_in_words(error, words):
    assert one_line(error) == words


def test_no_memory_is_found_in_torch_words():
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory: ...")
    assert one_line(best_error(error)).startswith("not enough memory (")


def test_what_is_printable_stays():
    text = "Müller\u00a0(日本)\n\tline"
    assert printable(text, lines=True) == text
    assert printable("\u202etxt.exe\x9b31m") == r"\u202etxt.exe\x9b31m"
