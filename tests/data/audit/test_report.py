import json

import pytest

from passion_monai.data.audit import audit_data, audit_json, audit_text
from tests.data.audit.make import cases, image, label
from tests.data.audit.test_auditing import CODING, cut
from tests.data.helpers import write


@pytest.fixture
def audit(tmp_path):
    cases(tmp_path, 4)
    (tmp_path / "c3/c3_t2.nii.gz").unlink()
    write(tmp_path / "c2/c2_seg.nii.gz", label((1, 9)))
    cut(tmp_path)
    write(tmp_path / "c1/notes.nii.gz", image(99))
    return audit_data(tmp_path, coding=CODING, progress=False)


def test_the_text_says_what_is_there_and_what_to_do(audit):
    text = audit_text(audit)
    assert all(len(line) <= 100 for line in text.splitlines()[1:])
    assert "BraTS names (CASE_flair.nii.gz); modalities flair, t1ce, t1, t2" in text
    assert "training         3         3         2   flair 0.000  t1ce 0.000  t1 0.000  t2 0.333" in text
    assert "  flair+t1ce+t1       1   c3" in text
    assert "files         19, 1 unreadable" in text
    assert "4 ET (3)" in text
    assert "ERROR   files that cannot be read (1): damaged or no image" in text
    assert "    c2/c2_seg.nii.gz: 9; the coding has 0, 1, 2, 3, 4" in text
    assert text.endswith("Training would FAIL: 2 errors to mend first.")
    assert text.index("ERROR") < text.index("warning files that are not used")


def test_the_json_has_every_case_file_and_problem(audit):
    facts = json.loads(json.dumps(audit_json(audit)))
    assert [case["case"] for case in facts["cases"]] == ["c1", "c2", "c3", "c0"]
    assert facts["cases"][2]["modalities"] == ["flair", "t1ce", "t1"]
    assert facts["sections"]["training"]["combinations"] == {"flair+t1ce+t1+t2": 2, "flair+t1ce+t1": 1}
    assert len(facts["files"]) == 19
    assert {(p["severity"], p["kind"]) for p in facts["problems"]} == {
        ("error", "unreadable"),
        ("error", "label-value"),
        ("warning", "unknown-file"),
    }
    assert not facts["trains"]
    assert facts["label_values"]["9"] == 1
    assert all(problem["suggestion"] for problem in facts["problems"])


def test_long_lists_are_cut_in_the_text_only(tmp_path):
    cases(tmp_path, 8, labels=False)
    found = audit_data(tmp_path, progress=False)
    assert "... and 3 more, all of them with --json FILE" in audit_text(found)
    assert len(audit_json(found)["problems"]) == 8
