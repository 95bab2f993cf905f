"""Files that users bring: found packed or not, and each kind of damage named in one line."""

import gzip
from pathlib import Path

import pytest

from kblocks.files import find_file, need_file, read_json, read_text


def test_the_plain_file_comes_before_the_packed_one(tmp_path: Path) -> None:
    assert find_file(tmp_path, "a.txt") is None
    with pytest.raises(ValueError, match=r"has neither a\.txt nor a\.txt\.gz\."):
        need_file(tmp_path, "a.txt")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"packed"))
    assert read_text(need_file(tmp_path, "a.txt")) == "packed"
    (tmp_path / "a.txt").mkdir()  # a folder is no file
    assert find_file(tmp_path, "a.txt") == tmp_path / "a.txt.gz"
    (tmp_path / "a.txt").rmdir()
    (tmp_path / "a.txt").write_text("plain")
    assert read_text(need_file(tmp_path, "a.txt")) == "plain"


def test_text_comes_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffä\r\nb\x85c\n\n".encode())
    assert read_text(path) == "ä\r\nb\x85c\n\n"
    assert read_text(path, largest=13) == read_text(path)
    with pytest.raises(ValueError, match=r"a\.txt: larger than 0 MiB"):
        read_text(path, largest=12)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "b.txt")


def test_an_object_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [1, "\xc3\xa4"]}')
    (tmp_path / "b.json.gz").write_bytes(gzip.compress((tmp_path / "a.json").read_bytes()))
    assert read_json(tmp_path / "a.json") == read_json(tmp_path / "b.json.gz") == {"a": [1, "ä"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1: no JSON: Expecting value"),
        (b'{"a": 0,\n"b"', ":2: no JSON"),
        (b'{"a": 0,\n"\xff": 1}', ":2: the line is not UTF-8"),
        (b"null", ": expected a JSON object, found NoneType"),
        (b"[" * 100_000, ": its JSON is nested too deeply"),
        (b'{"a":' + b"9" * 10_000 + b"}", ": no JSON that can be read"),
        (b'{"a": "' + b"b" * 2000 + b'"}', ": larger than 0 MiB"),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_json_that_is_none(content: bytes, message: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    largest = 1000 if "larger" in message else 1 << 20
    with pytest.raises(ValueError, match=name + message) as caught:
        read_json(tmp_path / name, largest)
    assert "\n" not in str(caught.value)


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}' * 100)
    for damaged in (b"", whole[:-9], whole[:12] + b"\xff" * 9, b"{}"):
        (tmp_path / "a.json.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.json\.gz:.*(damaged gzip|no JSON)"):
            read_json(tmp_path / "a.json.gz")
