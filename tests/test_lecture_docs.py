"""What docs/lecture.md points at is there: lines, tests, tutorials, pictures, errata, rooms."""

import re
from pathlib import Path

import pytest

from tests.tutorials.test_tutorials import PICTURES
from tools.lecture_lines import DOCS, LINK, line_of, with_lines

TEXT = (DOCS / "lecture.md").read_text(encoding="utf-8")
TABLES, ERRATA = TEXT.split("\n## Errata\n")


def test_every_line_number_is_in_step() -> None:
    assert len(LINK.findall(TEXT)) > 40
    assert with_lines(TEXT) == TEXT, "run `make tables`"


def test_every_link_leads_to_a_file() -> None:
    for path in re.findall(r"\]\((?!#)([^)#]+)", TEXT):
        assert (DOCS / path).is_file(), path


def test_what_is_named_as_a_test_is_one() -> None:
    named = [m for m in LINK.finditer(TEXT) if m["path"].startswith("../tests/")]
    assert named
    assert all(m["label"].startswith("test_") for m in named)


def test_every_picture_is_drawn_by_the_tutorial_of_its_row() -> None:
    for row in TABLES.splitlines():
        for picture in re.findall(r"`([\w.]+\.png)`", row):
            [tutorial] = set(re.findall(r"tutorials/(\w+)\.py", row)) - {"test_tutorials"}
            assert picture in PICTURES[tutorial], row


def test_every_erratum_is_referred_to_and_there() -> None:
    numbers = {int(n) for n in re.findall(r"^(\d+)\. ", ERRATA, flags=re.MULTILINE)}
    referred = {
        int(n)
        for found in re.findall(r"\(#errata\) (\d+(?:, \d+)*)", TABLES)
        for n in found.split(", ")
    }
    assert numbers == set(range(1, len(numbers) + 1)) == referred


@pytest.mark.parametrize(
    ("label", "line"),
    [("Outer", 1), ("Outer.inner", 2), ("return 1", 3), ("function", 5), ("x = 2", 6)],
)
def test_a_label_is_a_definition_or_a_line(label: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(
        "class Outer:\n    def inner(self):\n        return 1\n\ndef function():\n    x = 2\n"
    )
    assert line_of(label, path) == line
    with pytest.raises(ValueError, match="expected one"):
        line_of("no such thing", path)
