"""GPT-2's ids, any bytes there and back, and files that are no vocabulary."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kblocks.text import ByteBPE, byte_alphabet
from tests.data.shared_data import ROOT, needs

pytest.importorskip("tokenizers", reason="needs tokenizers, the extra `pretrained`")

END = "<|endoftext|>"
PIECES = [*byte_alphabet(), "he", "Ġhe", "ll", END]
MERGES = [("h", "e"), ("Ġ", "he"), ("l", "l")]
IDS = {piece: id for id, piece in enumerate(PIECES)}

TEXTS: list[str | bytes] = [
    "",
    "Hello world",
    "  two  spaces\t\ttabs\r\n\n\nends  ",
    "it's I'LL we've 12345 3.14 !?…",
    "Crème brûlée e\u0301 漢字かな Привет مرحبا नमस्ते",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️",
    "\x00\x01\x7f\x80\u00ad\u200b\u2028\ufeff\ufffd\uffff\U0010ffff",
    "<|endoftext|> Ġ Ċ",
    b"caf\xe9 \xff\xfe cut \xe6\xbc \xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80 end\xf0\x9f",
    bytes(range(256)),
]


@pytest.fixture(scope="module")
def small() -> ByteBPE:
    return ByteBPE(PIECES, MERGES)


@pytest.fixture(scope="module")
def gpt2() -> ByteBPE:
    return ByteBPE.load(ROOT / "gpt2_bpe")


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def comes_back(vocabulary: ByteBPE, texts: list[str | bytes]) -> None:
    for text, ids in zip(texts, vocabulary.encode(texts), strict=True):
        assert vocabulary.decode_bytes(ids) == as_bytes(text)
        assert vocabulary.decode(ids) == as_bytes(text).decode("utf-8", "replace")


def test_any_text_comes_back(small: ByteBPE) -> None:
    comes_back(small, TEXTS)


def test_any_bytes_come_back(small: ByteBPE) -> None:
    chance = random.Random(1)
    comes_back(small, [chance.randbytes(chance.randrange(60)) for _ in range(500)])


def test_merges_in_the_order_learned(small: ByteBPE) -> None:
    he, space_he, ll, end = 256, 257, 258, 259
    o, space = ord("o"), ord(" ")
    assert small.encode(["hello he", "he  he", END]) == [
        [he, ll, o, space_he],
        [he, space, space_he],
        list(END.encode()),
    ]
    assert small.end == end
    assert small.size == 260
    assert small.decode([space_he, end]) == f" he{END}"


def test_bytes_that_are_no_utf8_have_an_id_each(small: ByteBPE) -> None:
    text = b"he\xff\xe6\xbche"
    assert (
        small.encode([text, text.decode("utf-8", "surrogateescape")])
        == [[256, 0xFF, 0xE6, 0xBC, 256]] * 2
    )
    assert small.decode([256, 0xFF, 256]) == "he\ufffdhe"


@needs("gpt2_bpe")
def test_gpt2_s_ids(gpt2: ByteBPE) -> None:
    assert (gpt2.size, gpt2.end) == (50_257, 50_256)
    assert gpt2.encode(["Hello world", "", " Hello", "hello hello"]) == [
        [15496, 995],
        [],
        [18435],
        [31373, 23748],
    ]
    assert gpt2.decode([15496, 995, gpt2.end]) == f"Hello world{END}"


@needs("gpt2_bpe")
def test_any_text_comes_back_by_gpt2(gpt2: ByteBPE) -> None:
    comes_back(gpt2, TEXTS)
    chance = random.Random(2)
    comes_back(gpt2, [chance.randbytes(chance.randrange(60)) for _ in range(500)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [random.Random(3).randbytes(1 << 20), b"a" * (1 << 20), "Ünï the 漢 👍\n".encode() * 50_000],
    ids=["random bytes", "one word", "words"],
)
@needs("gpt2_bpe")
def test_a_megabyte(gpt2: ByteBPE, text: bytes) -> None:
    comes_back(gpt2, [text])


def write_pair(folder: Path, names: tuple[str, str], ids: Any, merges: str) -> None:
    (folder / names[0]).write_text(json.dumps(ids))
    (folder / names[1]).write_text(merges)


MERGE_LINES = "#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in MERGES)


@pytest.mark.parametrize("names", [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")])
@pytest.mark.parametrize("merges", [MERGE_LINES, MERGE_LINES[14:-1], MERGE_LINES + ""])
def test_two_files(names: tuple[str, str], merges: str, tmp_path: Path, small: ByteBPE) -> None:
    write_pair(tmp_path, names, dict(reversed(IDS.items())), merges)
    by_folder = ByteBPE.load(tmp_path)
    by_files = ByteBPE.load(tmp_path / names[0], tmp_path / names[1])
    assert by_folder.pieces == by_files.pieces == small.pieces
    assert by_folder.encode(["hello he"]) == by_files.encode(["hello he"]) == [[256, 258, 111, 257]]


def test_gzipped_files(tmp_path: Path) -> None:
    (tmp_path / "encoder.json.gz").write_bytes(gzip.compress(json.dumps(IDS).encode()))
    (tmp_path / "vocab.bpe.gz").write_bytes(gzip.compress(MERGE_LINES.encode())[:-9])
    with pytest.raises(ValueError, match=r"vocab.bpe.gz: damaged gzip data"):
        ByteBPE.load(tmp_path)
    (tmp_path / "vocab.bpe.gz").write_bytes(gzip.compress(MERGE_LINES.encode()))
    assert ByteBPE.load(tmp_path).encode(["he"]) == [[256]]


def one_file(**changes: Any) -> dict[str, Any]:
    """As Hugging Face writes GPT-2, the end added behind the pieces that were learned."""
    learned = {piece: id for piece, id in IDS.items() if piece != END}
    content: dict[str, Any] = {
        "added_tokens": [{"id": IDS[END], "content": END, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "model": {"type": "BPE", "vocab": learned, "merges": [" ".join(m) for m in MERGES]},
    }
    for place, value in changes.items():
        *outer, name = place.split("__")
        (content[outer[0]] if outer else content)[name] = value
    return content


@pytest.mark.parametrize("merges", [[" ".join(m) for m in MERGES], [list(m) for m in MERGES]])
def test_one_file(merges: list, tmp_path: Path, small: ByteBPE) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(one_file(model__merges=merges)))
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        loaded = ByteBPE.load(path)
        assert (loaded.pieces, loaded.end) == (small.pieces, small.end)
        assert loaded.encode(TEXTS) == small.encode(TEXTS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "NFC"}}, r"`normalizer` must be None, as in GPT-2"),
        (
            {"pre_tokenizer": {"type": "Split", "add_prefix_space": False}},
            r"`pre_tokenizer.type` must be 'ByteLevel', as in GPT-2, .* found 'Split'",
        ),
        (
            {"pre_tokenizer__add_prefix_space": True},
            r"`pre_tokenizer.add_prefix_space` must be False, as in GPT-2",
        ),
        ({"model__type": "WordPiece"}, r"`model.type` must be 'BPE'"),
        ({"model__merges": ["h e l"]}, r"no tokenizer.json of a byte-level BPE"),
        ({"model__merges": ["h x"]}, r"merge 1, 'h' and 'x': 'hx' is not in the pieces"),
        ({"added_tokens": []}, r"`pieces` must hold the end, '<\|endoftext\|>'"),
        ({"added_tokens": [{"id": 300, "content": END}]}, r"no piece has the id 259, .* up to 300"),
        ({"model": None}, r"no tokenizer.json of a byte-level BPE"),
    ],
)
def test_one_file_that_is_not_read(changes: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(one_file(**changes)))
    with pytest.raises(ValueError, match=message) as caught:
        ByteBPE.load(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"he": 255}, r"encoder.json: 'ÿ' and 'he' have the same id, 255"),
        ({"he": 1000}, r"encoder.json: no piece has the id 256, and ids go up to 1000"),
        ({"he": "256"}, r"encoder.json: the id of 'he' must be an integer from 0, got '256'"),
        ({"he": -1}, r"encoder.json: the id of 'he' must be an integer from 0, got -1"),
        ({"he": True}, r"encoder.json: the id of 'he' must be an integer from 0, got True"),
    ],
)
def test_ids_with_holes(change: dict, message: str, tmp_path: Path) -> None:
    write_pair(tmp_path, ("encoder.json", "vocab.bpe"), IDS | change, MERGE_LINES)
    with pytest.raises(ValueError, match=message):
        ByteBPE.load(tmp_path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("#version: 0.2\nh e\nh o\n", r"vocab.bpe:3: the piece 'ho' is not in the vocabulary"),
        ("h e\nh e\n", r"vocab.bpe:2: the pair stands in line 1 already"),
        ("h e\n\nl l\n", r"vocab.bpe:2: expected two pieces and a space, found ''"),
        ("h e l\n", r"vocab.bpe:1: expected two pieces and a space, found 'h e l'"),
        ("h  e\n", r"vocab.bpe:1: expected two pieces and a space, found 'h  e'"),
    ],
)
def test_merges_that_are_none(lines: str, message: str, tmp_path: Path) -> None:
    write_pair(tmp_path, ("encoder.json", "vocab.bpe"), IDS, lines)
    with pytest.raises(ValueError, match=message):
        ByteBPE.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 0,\n "b": }', r"encoder.json:2: no JSON: Expecting value"),
        (b"", r"encoder.json:1: no JSON"),
        (b'{"a": 0,\n"\xff": 1}', r"encoder.json:2: the line is not UTF-8"),
        (b"[1, 2]", r"encoder.json: expected a JSON object, found list"),
        (b"[" * 100_000, r"encoder.json: its JSON is nested too deeply"),
    ],
)
def test_json_that_is_none(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_bytes(content)
    (tmp_path / "vocab.bpe").write_text(MERGE_LINES)
    with pytest.raises(ValueError, match=message) as caught:
        ByteBPE.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_too_large(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "encoder.json.gz", "wb", compresslevel=1) as file:
        for _ in range(65):
            file.write(b" " * (1 << 20))
    (tmp_path / "vocab.bpe").write_text(MERGE_LINES)
    with pytest.raises(ValueError, match=r"encoder.json.gz: larger than 64 MiB"):
        ByteBPE.load(tmp_path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected encoder\.json and vocab\.bpe"):
        ByteBPE.load(tmp_path)
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"merges.txt beside it is missing"):
        ByteBPE.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        ByteBPE.load(tmp_path / "tokenizer.json")
    (tmp_path / "vocab.json").write_text(json.dumps(IDS))
    with pytest.raises(ValueError, match="if it is the first of two files, pass the merges"):
        ByteBPE.load(tmp_path / "vocab.json")


@pytest.mark.parametrize(
    ("pieces", "merges", "message"),
    [
        ([*PIECES, "he"], MERGES, r"`pieces` must differ, and 'he' stands there twice"),
        (PIECES[1:], MERGES, r"`pieces` must hold every byte; 0x00, 'Ā', is not"),
        (PIECES[:-1], MERGES, r"`pieces` must hold the end, '<\|endoftext\|>'"),
        (PIECES, [("l", "l"), ("h", "o")], r"merge 2, 'h' and 'o': 'ho' is not in the pieces"),
    ],
)
def test_wrong_arguments(pieces: list[str], merges: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ByteBPE(pieces, merges)


def test_wrong_texts_and_ids(small: ByteBPE) -> None:
    with pytest.raises(ValueError, match="`texts` must be a list of texts, got one: 'he'"):
        small.encode("he")
    with pytest.raises(ValueError, match=r"text 1: '\\ud83d' is half a character"):
        small.encode(["he", "he \ud83d"])
    for id in (260, -1):
        with pytest.raises(ValueError, match=f"id 1: {id} is not in the vocabulary of 260"):
            small.decode([256, id])


def test_the_alphabet_has_a_character_a_byte() -> None:
    alphabet = byte_alphabet()
    assert len(set(alphabet)) == 256
    assert [alphabet[byte] for byte in (0, 10, 32, 65, 127, 173, 255)] == list("ĀĊĠAġŃÿ")


@pytest.mark.slow
def test_without_the_library(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["tokenizers"] = None
from kblocks.text import ByteBPE, byte_alphabet
try:
    ByteBPE([*byte_alphabet(), "<|endoftext|>"], [])
except ImportError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    assert result.stdout == (
        "ByteBPE needs the library tokenizers: pip install 'kblocks[pretrained]'.\n"
    )
