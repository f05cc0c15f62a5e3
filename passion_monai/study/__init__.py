"""Studies: grids of ordinary bundle runs, resumable, each in a process and a folder of its own.

Here: the description of a grid, its schedule, its processes, and the tables made of finished runs.
Not here: what a run does (`bundle`).
"""

from passion_monai.study.description import Study, read_study
from passion_monai.study.process import execute
from passion_monai.study.results import collect, restore, write_tables
from passion_monai.study.rows import finished_rows
from passion_monai.study.run import RunFolder, StudyRun
from passion_monai.study.schedule import run_here, run_on_slurm
from passion_monai.study.study import plan, run_study, select

__all__ = [
    "RunFolder",
    "Study",
    "StudyRun",
    "collect",
    "execute",
    "finished_rows",
    "plan",
    "read_study",
    "restore",
    "run_here",
    "run_on_slurm",
    "run_study",
    "select",
    "write_tables",
]
