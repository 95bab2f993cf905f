"""The picture of a similarity matrix: numbers and texts, that labels keep apart, wrong input."""

import itertools

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_allclose

from kblocks.plotting import plot_similarity

SIMILARITY = np.array([[1.0, 0.666, -0.004], [0.666, 1.0, -0.85], [-0.004, -0.85, 1.0]])
TEXTS = ["The weather is lovely today.", "It costs $1, not $2.", "He drove to the stadium."]


def test_a_number_for_each_pair_and_a_text_for_each_row(tmp_path):
    path = tmp_path / "similarity.png"
    figure = plot_similarity(SIMILARITY, TEXTS, title="$1, $2", path=path)
    axes, bar = figure.axes
    image = axes.get_images()[0]
    assert_allclose(image.get_array(), SIMILARITY)
    assert image.get_clim() == (-1.0, 1.0)
    numbers = [text.get_text() for text in axes.texts]
    assert numbers == ["1.00", "0.67", "0.00", "0.67", "1.00", "-0.85", "0.00", "-0.85", "1.00"]
    colors = [text.get_color() for text in axes.texts]
    assert colors[1] == colors[5] == "white"
    assert colors[2] == "black"
    rows = axes.get_yticklabels()
    assert [row.get_text() for row in rows] == [f"{i}  {t}" for i, t in enumerate(TEXTS, 1)]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3"]
    assert not any(row.get_parse_math() for row in rows)
    assert bar.get_ylabel() == "cosine"
    assert imread(path).ndim == 3


@pytest.mark.parametrize("number", [1, 3, 12])
@pytest.mark.parametrize(
    "text", ["Short.", "a long sentence with many words in it " * 9, "x" * 500]
)
def test_labels_and_numbers_keep_apart_and_within(number, text):
    figure = plot_similarity(np.full((number, number), -0.5), [text] * number, title="texts")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    rows = sorted((b.y0, b.y1) for b in (r.get_window_extent() for r in axes.get_yticklabels()))
    assert all(low[1] <= high[0] for low, high in itertools.pairwise(rows))
    columns = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(columns))
    picture = axes.get_window_extent()
    cell = picture.width / number
    assert all(value.get_window_extent().width <= 0.95 * cell for value in axes.texts)
    boxes = [row.get_window_extent() for row in axes.get_yticklabels()]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= picture.x0 for box in boxes)


@pytest.mark.parametrize(
    ("similarity", "texts", "message"),
    [
        (np.ones((2, 2)), ["a"], r"\(1, 1\).*has \(2, 2\)"),
        (np.ones((0, 0)), [], "no axis empty"),
        (np.full((1, 1), 2.0), ["a"], "cosines.*got 2 to 2"),
        (np.full((1, 1), np.nan), ["a"], "cosines.*got nan"),
    ],
)
def test_wrong_input_is_told(similarity, texts, message):
    with pytest.raises(ValueError, match=message):
        plot_similarity(similarity, texts)
