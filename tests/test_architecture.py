"""docs/architecture.md names the rooms and files that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "passion_monai"
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
PATHS = sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+(?:\.py)?)`", TEXT)))


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_named(room):
    assert f"`{room}`" in TEXT


@pytest.mark.parametrize("path", PATHS)
def test_every_named_path_exists(path):
    assert (PACKAGE / path).exists()


@pytest.mark.parametrize("package", sorted(path.parent for path in PACKAGE.rglob("__init__.py")), ids=str)
def test_every_room_says_what_lives_there_and_what_does_not(package):
    if package != PACKAGE:
        text = (package / "__init__.py").read_text(encoding="utf-8")
        assert re.match(r'"""\S.*?\n\nHere: .*?\nNot here: .*?\n"""', text, re.DOTALL)


def test_the_picture_draws_every_room():
    pytest.importorskip("grimp", reason="grimp comes with the extra lint")
    from docs.draw_rooms import WORDS, layers

    drawn = {room for row in layers() for room in row}
    assert drawn == set(WORDS)
    assert drawn == {*ROOMS, "cli"}
