"""What the readers take, and the one line that they say of what they do not take."""

import gzip
from pathlib import Path

import pytest

from kblocks.data import read_lines, read_pairs, read_parallel
from kblocks.data.readers import MAX_LINE_BYTES


def written(path: Path, content: bytes | str) -> Path:
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.tsv.gz"])
@pytest.mark.parametrize(
    "content",
    [
        "a b\tc d\né\tü\n",
        "a b\tc d\né\tü",  # no line end at the end
        "a b\tc d\r\né\tü\r\n",
        "\ufeffa b\tc d\né\tü\n",  # a byte order mark
        " a b \t c d \né\tü\n",
    ],
)
def test_pairs_of_any_file_there_is(name: str, content: str, tmp_path: Path) -> None:
    assert read_pairs(written(tmp_path / name, content)) == [("a b", "c d"), ("é", "ü")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nonly one\n", ":2: expected two columns, source TAB target, found 1 filled of 1"),
        ("a\tb\tc\n", ":1: expected two columns, source TAB target, found 3 filled of 3"),
        ("a\tb\n\t \n", ":2: .* found 0 filled of 2"),
        ("a\tb\nc\t\n", ":2: .* found 1 filled of 2"),
        ("a\tb\n\nc\td\n", ":2: .* found 0 filled of 1"),
        ("", ": the file holds no sentence pair"),
        (b"a\tb\nc\xfc\td\n", ":2: the line is not UTF-8 .byte 1 of it.; convert the file"),
        ("a\tb\n".encode("utf-16"), ":1: the line is not UTF-8"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(
    content: bytes | str, message: str, tmp_path: Path
) -> None:
    for name in ("pairs.tsv", "pairs.tsv.gz"):
        path = written(tmp_path / name, content)
        with pytest.raises(ValueError, match=f"^{path}{message}"):
            read_pairs(path)


def test_lines_are_numbered_from_one(tmp_path: Path) -> None:
    path = written(tmp_path / "lines", "a\n\nb\u2028c\x0bd\r\n")
    assert list(read_lines(path)) == [(1, "a"), (2, ""), (3, "b\u2028c\x0bd")]


def test_a_line_as_long_as_a_file(tmp_path: Path) -> None:
    longest = "x" * (MAX_LINE_BYTES - 1)
    path = written(tmp_path / "lines", f"{longest}\n")
    assert list(read_lines(path)) == [(1, longest)]
    with pytest.raises(ValueError, match=":2: the line is longer than 1 MiB"):
        list(read_lines(written(path, f"short\nx{longest}\n")))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-3],
        lambda data: data[:40] + bytes([data[40] ^ 255, data[41] ^ 255]) + data[42:],
        lambda data: b"plain\ttext\n",
    ],
    ids=["half", "no end", "other bytes", "no gzip"],
)
def test_damaged_gzip(damage: object, tmp_path: Path) -> None:
    lines = "".join(f"word {i * i * 7919 % 1009}\tWort {i * i * 31 % 997}\n" for i in range(500))
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(damage(gzip.compress(lines.encode())))  # type: ignore[operator]
    with pytest.raises(ValueError, match=f"^{path}"):
        read_pairs(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.tsv"):
        read_pairs(tmp_path / "none.tsv")
    with pytest.raises(FileNotFoundError, match=r"none\.gz"):
        list(read_lines(tmp_path / "none.gz"))


def test_two_files_line_by_line(tmp_path: Path) -> None:
    source = written(tmp_path / "a.en.gz", "one\n\ntwo \nthree\n")
    target = written(tmp_path / "a.de", "eins\nzwei\n\ndrei\n")
    assert read_parallel(source, target) == [("one", "eins"), ("three", "drei")]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("eins\n", "has 2 lines and .*b has 1: line by line they must belong together"),
        ("eins\nzwei\ndrei\n", "has 2 lines and .*b has 3"),
        ("\n\n", "the file holds no sentence pair"),
    ],
)
def test_two_files_that_do_not_belong_together(target: str, message: str, tmp_path: Path) -> None:
    source = written(tmp_path / "a", "one\ntwo\n")
    with pytest.raises(ValueError, match=message):
        read_parallel(source, written(tmp_path / "b", target))
