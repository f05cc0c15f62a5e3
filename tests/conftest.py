"""One thread a process: the tests' tensors are small, and threads of several processes wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
