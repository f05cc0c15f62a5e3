"""Draws `docs/rooms.png`, the picture of docs/architecture.md: `python docs/draw_rooms.py` (needs the extra `lint`).

Rows are the layers of the import contract in setup.cfg, arrows the imports that there really are; one that follows from
two others is left out.
"""

from __future__ import annotations

import configparser
from pathlib import Path

import grimp
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
PACKAGE = "passion_monai"
WORDS = {
    "cli": "the word `passion`",
    "commands": "one file a command",
    "bundle": "what configs call",
    "prediction": "new scans in,\nlabel maps out",
    "scoring": "scores against\nreferences",
    "sharing": "export, zoo",
    "study": "grids of runs",
    "reports": "tables, figures, page",
    "handlers": "what happens during a training, and when",
    "engines": "trainer, evaluator, inferers",
    "methods": "one file a method",
    "losses": "equations",
    "metrics": "Dice, distances,\nstatistics",
    "networks": "one file a backbone",
    "data": "availability, images, cases, loading, scans, phantoms, audit",
    "checkpoints": "weights with their facts, on disk",
    "utils": "whole files, words for errors",
}


def layers() -> list[list[str]]:
    """The rooms of the import contract, top row first."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["importlinter:contract:rooms"]["layers"].split("\n")
    return [[room.strip() for room in line.split("|")] for line in lines if line.strip()]


def imports() -> set[tuple[str, str]]:
    """Which room imports which, without what follows from two other imports."""
    graph = grimp.build_graph(PACKAGE)
    rooms = [room for row in layers() for room in row]
    for room in rooms:
        if graph.find_children(f"{PACKAGE}.{room}"):
            graph.squash_module(f"{PACKAGE}.{room}")
    direct = {
        (a, b)
        for a in rooms
        for b in rooms
        if a != b and graph.direct_import_exists(importer=f"{PACKAGE}.{a}", imported=f"{PACKAGE}.{b}")
    }
    reach = set(direct)
    for middle in rooms:
        reach |= {(a, d) for a, b in reach if b == middle for c, d in reach if c == middle}
    return {(a, b) for a, b in direct if not any((a, m) in reach and (m, b) in reach for m in rooms)}


def draw(path: Path) -> None:
    """Write the picture."""
    rows = layers()
    figure = Figure(figsize=(9, 0.95 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = {}
    for y, row in enumerate(reversed(rows)):
        for x, room in enumerate(row):
            aside = (0.06 if y % 2 else -0.06) if len(row) == 1 else 0.0  # so that arrows pass beside the boxes
            places[room] = ((x + 0.5) / len(row) + aside, float(y))
    boxes = {}
    for room, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#eef3f8", "edgecolor": "#34618e"}
        label = axes.text(x, y, f"{room}\n{WORDS[room]}", ha="center", va="center", fontsize=8.5, bbox=box, zorder=3)
        boxes[room] = label.get_bbox_patch()
    for upper, lower in sorted(imports()):
        arrow = {"arrowstyle": "-|>", "color": "#777777", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 1}
        arrow |= {"patchA": boxes[upper], "patchB": boxes[lower], "connectionstyle": "arc3,rad=0.12"}
        axes.annotate("", xy=places[lower], xytext=places[upper], arrowprops=arrow, zorder=1)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4))
    axes.axis("off")
    figure.savefig(path, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    draw(ROOT / "docs" / "rooms.png")
