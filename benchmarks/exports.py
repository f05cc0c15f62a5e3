"""Every backbone in every export format, compared with the network for all subsets: `python benchmarks/exports.py`.

Prints a Markdown table of the largest difference of a probability; about seven minutes of one core.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from monai.bundle import ConfigParser

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' small backbones are no part of the package

from passion_monai.networks import IncompleteSegmenter
from passion_monai.sharing.formats import FORMATS, export_model
from tests.networks.test_contract import BACKBONES

SMALL = [(name, dims, M) for name in ("rfnet", "mmformer", "m2ftrans") for dims, M in ((2, 3), (3, 4))]
SMALL += [(name, 2, 3) for name in ("basic_unet", "seg_resnet", "dyn_unet", "swin_unetr")]


def networks() -> Iterator[tuple[str, IncompleteSegmenter]]:
    for bundle in ("brats_passion", "myops_passion"):
        parser = ConfigParser()
        parser.read_config(str(Path(__file__).parents[1] / "bundles" / bundle / "configs" / "inference.json"))
        parser["backbone"] = "mmformer_small"
        torch.manual_seed(0)
        yield f"{bundle}, mmformer_small", parser.get_parsed_content("network_def")
    for name, dims, M in SMALL:
        torch.manual_seed(0)
        yield f"{name}, {dims}D, {M} modalities", BACKBONES[name](dims, M)


def difference(network: IncompleteSegmenter, kind: str, folder: str) -> str:
    window = [max(network.smallest, 2 * network.divisor)] * network.spatial_dims
    try:
        return f"{export_model(network, f'{folder}/model', kind, window):.1e}"
    except ValueError as error:
        return str(error).split("(")[0].strip()


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(f"| network | {' | '.join(FORMATS)} | CPU s |\n|---|{'---|' * len(FORMATS)}---|", flush=True)
    with TemporaryDirectory() as folder:
        for name, network in networks():
            start = time.process_time()
            cells = [difference(network, kind, folder) for kind in FORMATS]
            print(f"| {name} | {' | '.join(cells)} | {time.process_time() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
