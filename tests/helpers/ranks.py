"""Two gloo processes that work on one thing."""

import gc
import os

from torch import distributed, multiprocessing


def on_two_ranks(work, folder, *arguments):
    """Run ``work(rank, *arguments)``, a function of a module, in two processes of one group."""
    multiprocessing.spawn(_rank, (f"file://{folder}/store", work, arguments), nprocs=2)


def _rank(rank, store, work, arguments):
    os.environ["OMP_NUM_THREADS"] = "1"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    work(rank, *arguments)
    # A trainer and its DDP module refer to each other and keep the group's threads. Left to the interpreter's exit, a
    # thread that still frees a tensor aborts the process.
    gc.collect()
    distributed.barrier()
    distributed.destroy_process_group()
