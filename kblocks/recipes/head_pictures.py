"""The pictures of a Transformer translator's heads: of one sentence, and their statistics."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from keras import ops

from kblocks import tokens
from kblocks.data import Pairs
from kblocks.metrics import HeadStatistics, head_statistics
from kblocks.models import TransformerTranslator
from kblocks.plotting import plot_head_lines, plot_head_statistics, plot_heads
from kblocks.text import SubwordVocabulary

_COLUMNS = {  # of the lines between words
    "encoder": ("looks", "is looked at"),
    "decoder": ("reads", "looks back at"),
    "cross": ("says", "looks at"),
}


def draw_heads(
    model: TransformerTranslator,
    vocabulary: SubwordVocabulary,
    source: Sequence[str],
    produced: Sequence[str],
    folder: Path,
) -> list[Path]:
    """Draw where all heads look in one sentence, and the most decided one of each attention.

    The rows of the decoder's pictures are what it has read, those of the cross attention what it
    then said.

    Args:
        model: The translator.
        vocabulary: Its subwords, of both languages.
        source: The pieces of the source, the end included.
        produced: The pieces of its translation, the end included.
        folder: Where to write the pictures.

    Returns:
        The pictures: `heads_encoder.png`, `head_encoder.png`, and so on.
    """
    start = vocabulary.id_to_piece([tokens.START]).numpy()[0].decode()
    read = [start, *produced[:-1]]
    ids = {"source": [source], "target": [read]}
    heads = model.heads({name: vocabulary.piece_to_id(pieces) for name, pieces in ids.items()})
    words = {"encoder": (source, source), "decoder": (read, read), "cross": (source, produced)}
    paths = []
    for name, of_batch in heads._asdict().items():
        weights = _array(of_batch)
        looked_at, looking = words[name]
        paths.append(folder / f"heads_{name}.png")
        plot_heads(weights[0], looked_at, looking, title=name, path=paths[-1])
        layer, head = _most_decided(head_statistics(weights))
        paths.append(folder / f"head_{name}.png")
        plot_head_lines(
            weights[0, layer, head],
            looked_at,
            looking,
            labels=_COLUMNS[name],
            title=f"{name}, layer {layer + 1}, head {head + 1}",
            path=paths[-1],
        )
    return paths


def draw_head_statistics(
    model: TransformerTranslator, vocabulary: SubwordVocabulary, pairs: Pairs, folder: Path
) -> Path:
    """Draw how widely and how far the heads look, over sentence pairs.

    Args:
        model: The translator.
        vocabulary: Its subwords, of both languages.
        pairs: Sources and translations; the heads look while the model reads the given ones.
        folder: Where to write the picture, `head_statistics.png`.
    """
    sources, targets = zip(*pairs, strict=True)
    source = vocabulary.encode(sources, end=True).to_tensor().numpy()
    target = vocabulary.encode(targets).to_tensor().numpy()
    target = np.pad(target, [(0, 0), (1, 0)], constant_values=tokens.START)
    heads = model.heads({"source": source, "target": target})
    looking = {"encoder": source, "decoder": target, "cross": target}
    statistics = {
        name: head_statistics(_array(weights), looking[name] != tokens.PADDING)
        for name, weights in heads._asdict().items()
    }
    path = folder / "head_statistics.png"
    plot_head_statistics(statistics, title=f"heads over {len(pairs)} sentences", path=path)
    return path


def _array(weights: object) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(weights, "float32"))


def _most_decided(statistics: HeadStatistics) -> tuple[int, int]:
    """The layer and the head with the least entropy."""
    layer, head = np.unravel_index(np.argmin(statistics.entropy), statistics.entropy.shape)
    return int(layer), int(head)
