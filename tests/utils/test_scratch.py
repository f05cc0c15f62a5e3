"""Patients' data on the way are private, and do not stay when their run is killed."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from passion_monai.utils.scratch import locked_folder, scratch_folder
from tests.helpers.bundles import REPOSITORY

HOLD = """
import sys, time
from passion_monai.utils.scratch import scratch_folder
with scratch_folder("passion_test_") as folder:
    (folder / "scan.nii").write_text("private")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_private_and_gone_afterwards(temporary):
    with scratch_folder("passion_test_") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.parent == temporary
        (folder / "scan.nii").write_text("x")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_nothing_else(temporary):
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", HOLD]
    killed, alive = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2))
    try:
        left, used = (Path(process.stdout.readline().strip()) for process in (killed, alive))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "scan.nii").is_file()
        (temporary / "passion_test_link").symlink_to(used)
        (temporary / "other").mkdir()
        with scratch_folder("passion_test_"):
            pass
        assert not left.exists()
        assert (used / "scan.nii").is_file()
        assert (temporary / "other").is_dir()
    finally:
        for process in (killed, alive):
            process.kill()
            process.wait()
            process.stdout.close()


def test_drafts_of_two_at_once_do_not_mix(tmp_path):
    with locked_folder(tmp_path / "out" / ".drafts", "prediction") as folder:
        (folder / "a").write_text("x")
        with (
            pytest.raises(ValueError, match=r"another prediction is writing into .*out"),
            locked_folder(tmp_path / "out" / ".drafts", "prediction"),
        ):
            pass
        assert (folder / "a").is_file()
    assert list((tmp_path / "out").iterdir()) == []
