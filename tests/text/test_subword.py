"""Subwords: any text there and back, one file, the same vocabulary each time, inside the graph."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks import tokens
from kblocks.text import SubwordVocabulary

CORPUS = [
    "The cat sits on the mat.",
    "The dog sits on the cat.",
    "A mat is on the dog, and the cat is on it.",
    "Über den Wolken saß ein Kätzchen.",
] * 5


@pytest.fixture(scope="module")
def vocabulary() -> SubwordVocabulary:
    return SubwordVocabulary.train(CORPUS, size=360)


def there_and_back(vocabulary: SubwordVocabulary, text: str | bytes) -> str:
    return vocabulary.decode(vocabulary.encode([text])).numpy()[0].decode()


@pytest.mark.parametrize(
    "text",
    [
        "The cat sits on the mat.",
        "Nothing of this: xylophone, Zürich, №7!?",
        "emoji 👍🏽 👩‍👩‍👧 🇩🇪",
        "漢字かな交じり文",
        "مرحبا بالعالم",
        "नमस्ते",
        "<s> </s> <pad> <unk> <0x41> <unk>",
        "\U0010ffff \ue000 \ufffd",
        "tag\u200b\u00adsoft",
    ],
)
def test_any_text_comes_back(vocabulary: SubwordVocabulary, text: str) -> None:
    assert there_and_back(vocabulary, text) == text
    assert tokens.UNKNOWN not in vocabulary.encode([text]).flat_values.numpy()


def test_all_of_unicode_comes_back(vocabulary: SubwordVocabulary) -> None:
    """In blocks, without what is defined to change: white space, controls, SentencePiece's `▁`."""
    kept = [
        c
        for c in map(chr, range(0x21, 0x30000, 7))
        if unicodedata.category(c) not in ("Cc", "Cs", "Cn", "Zs", "Zl", "Zp")
        and c not in "▁\ufeff"
        and unicodedata.is_normalized("NFC", c)
    ]
    texts = ["|" + "|".join(kept[i : i + 50]) for i in range(0, len(kept), 50)]
    back = vocabulary.decode(vocabulary.encode(texts)).numpy()
    assert [text.decode() for text in back] == texts


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("  a \t b\u00a0c\u3000d\r\n", "a b c d"),
        ("u\u0308ber", "über"),  # NFD to NFC
        ("a\x00b\x07c\x7fd", "a b c d"),
        (b"caf\xe9 au lait", "caf\ufffd au lait"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"cut \xe6\xbc", "cut \ufffd"),
    ],
)
def test_what_is_brought_to_one_form(
    vocabulary: SubwordVocabulary, text: str | bytes, becomes: str
) -> None:
    assert there_and_back(vocabulary, text) == becomes


def test_very_long_text(vocabulary: SubwordVocabulary) -> None:
    for text in ("x" * 50_000, " ".join(CORPUS * 60), "漢" * 20_000):
        assert there_and_back(vocabulary, text) == text


def test_a_piece_has_the_id_that_has_it(vocabulary: SubwordVocabulary) -> None:
    ids = np.arange(vocabulary.size, dtype="int32")[None]
    np.testing.assert_array_equal(vocabulary.piece_to_id(vocabulary.id_to_piece(ids)), ids)
    assert vocabulary.piece_to_id(["no such piece"]).numpy().tolist() == [tokens.UNKNOWN]


def test_ids_are_those_of_every_vocabulary(vocabulary: SubwordVocabulary) -> None:
    special = [tokens.PADDING, tokens.UNKNOWN, tokens.START, tokens.END]
    assert special == [0, 1, 2, 3]
    pieces = vocabulary.id_to_piece(special).numpy().tolist()
    assert pieces == [b"<pad>", b"<unk>", b"<s>", b"</s>"]
    ids = vocabulary.encode(["The cat.", ""], end=True)
    assert ids.dtype == "int32"
    assert [row[-1] for row in ids.to_list()] == [tokens.END] * 2
    assert ids.to_list()[1] == [tokens.END]
    assert ids.flat_values.numpy()[:-2].min() > 3
    assert ids.flat_values.numpy().max() < vocabulary.size


def test_padding_start_and_end_are_no_text(vocabulary: SubwordVocabulary) -> None:
    ids = vocabulary.encode(["The cat.", "The dog sits."], end=True).to_tensor()
    ids = tf.pad(ids, [[0, 0], [1, 2]], constant_values=tokens.START)
    assert vocabulary.decode(ids).numpy().tolist() == [b"The cat.", b"The dog sits."]
    pieces = vocabulary.pieces(ids).to_list()
    assert "".join(p.decode() for p in pieces[1]).replace("▁", " ").strip() == "The dog sits."


def test_a_corpus_is_cut_into_its_own_words(vocabulary: SubwordVocabulary) -> None:
    assert vocabulary.pieces(vocabulary.encode(["The cat"])).to_list() == [
        ["▁The".encode(), "▁cat".encode()]
    ]


def test_training_again_gives_the_same(vocabulary: SubwordVocabulary) -> None:
    assert SubwordVocabulary.train(iter(CORPUS), size=360).model == vocabulary.model


def test_save_and_load(vocabulary: SubwordVocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path / "vocabulary.model")
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.model"]
    loaded = SubwordVocabulary.load(tmp_path / "vocabulary.model")
    assert loaded.size == vocabulary.size
    assert loaded.encode(CORPUS).to_list() == vocabulary.encode(CORPUS).to_list()


@pytest.mark.parametrize("damage", [lambda m: b"", lambda m: m[: len(m) // 2], lambda m: b"text"])
def test_a_damaged_file(vocabulary: SubwordVocabulary, damage: object, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.model"
    path.write_bytes(damage(vocabulary.model))  # type: ignore[operator]
    with pytest.raises(ValueError, match=f"{path}: not a SentencePiece model"):
        SubwordVocabulary.load(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SubwordVocabulary.load(tmp_path / "none.model")


@pytest.mark.parametrize("size", [5, 262])
def test_too_small_a_vocabulary(size: int) -> None:
    with pytest.raises(ValueError, match=f"`size` {size} does not fit this corpus") as caught:
        SubwordVocabulary.train(CORPUS, size=size)
    assert "\n" not in str(caught.value)


def test_a_small_corpus_gives_a_small_vocabulary() -> None:
    assert 260 < SubwordVocabulary.train(["ab ab"], size=5000).size < 280


@pytest.mark.parametrize("lines", [[], ["", " \t"]])
def test_nothing_to_learn_from(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="`lines` holds no text to learn from"):
        SubwordVocabulary.train(lines, size=300)


def test_strings_come_as_a_batch(vocabulary: SubwordVocabulary) -> None:
    with pytest.raises(ValueError, match=r"`sentences` must have shape \(batch,\), got \(\)"):
        vocabulary.encode("The cat.")


@pytest.mark.slow
def test_in_a_graph_of_any_batch_saved_and_loaded_elsewhere(
    vocabulary: SubwordVocabulary, tmp_path: Path
) -> None:
    module = tf.Module()
    module.vocabulary = vocabulary

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def there(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = vocabulary.encode(text, end=True)
        return {"ids": ids.to_tensor(), "text": vocabulary.decode(ids)}

    module.there = there
    texts = ["The cat.", "", "漢 u\u0308ber", b"\xff"]
    expected = there(tf.constant(texts))
    np.testing.assert_array_equal(expected["ids"], vocabulary.encode(texts, end=True).to_tensor())
    assert there(tf.constant([], tf.string))["text"].shape == (0,)

    tf.saved_model.save(module, str(tmp_path / "saved"))
    np.savez(tmp_path / "expected.npz", **{k: v.numpy() for k, v in expected.items()})
    code = """
import sys
import numpy as np, tensorflow as tf, tensorflow_text
there = tf.saved_model.load(sys.argv[1] + "/saved").there
found = there(tf.constant(["The cat.", "", "漢 u\\u0308ber", b"\\xff"]))
expected = np.load(sys.argv[1] + "/expected.npz", allow_pickle=True)
assert all(np.array_equal(found[name], expected[name]) for name in expected)
assert "kblocks" not in sys.modules
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
