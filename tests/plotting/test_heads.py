"""The pictures of heads: what stands in them, that labels keep apart, and wrong input."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import PowerNorm
from matplotlib.image import imread
from numpy.testing import assert_allclose

from kblocks.metrics import HeadStatistics
from kblocks.plotting import plot_head_lines, plot_head_statistics, plot_heads

SOURCE = ["▁Select", "▁$", "A", "$", "</s>"]
TARGET = ["▁Wählen", "▁$", "A", "$"]


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.full(shape[-1], 0.3), size=shape[:-1])


def apart(extents: list[tuple[float, float]]) -> bool:
    """Whether intervals do not overlap, whatever their order."""
    return all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(extents)))


def test_heads_have_a_row_for_each_layer_and_a_column_for_each_head(tmp_path):
    of_all = weights(3, 2, 4, 5)
    path = tmp_path / "heads.png"
    figure = plot_heads(of_all, SOURCE, TARGET, title="$A$1", path=path)
    *pictures, bar = figure.axes
    for axes, shown in zip(pictures, of_all.reshape(6, 4, 5), strict=True):
        image = axes.get_images()[0]
        assert_allclose(image.get_array(), shown, rtol=1e-6)
        assert image.get_clim() == (0.0, 1.0)
        assert isinstance(image.norm, PowerNorm)
    grid = np.reshape(np.array(pictures, dtype=object), (3, 2))
    assert [axes.get_title() for axes in grid[0]] == ["head 1", "head 2"]
    assert [axes.get_ylabel() for axes in grid[:, 1]] == ["layer 1", "layer 2", "layer 3"]
    for axes in grid[0]:
        assert [label.get_text() for label in axes.get_xticklabels()] == SOURCE
        assert not any(label.get_parse_math() for label in axes.get_xticklabels())
    for axes in grid[:, 0]:
        assert [label.get_text() for label in axes.get_yticklabels()] == TARGET
    assert bar.get_ylabel() == "attention weight"
    assert imread(path).ndim == 3


@pytest.mark.parametrize("length", [1, 6, 20, 40])
def test_labels_of_heads_keep_apart(length):
    figure = plot_heads(weights(1, 2, length, length), ["▁größere"] * length)
    figure.draw_without_rendering()
    left, right, _ = figure.axes
    rows = [label.get_window_extent() for label in left.get_yticklabels()]
    columns = [
        label.get_window_extent() for axes in (left, right) for label in axes.get_xticklabels()
    ]
    assert apart([(box.y0, box.y1) for box in rows])
    assert apart([(box.x0, box.x1) for box in columns])
    picture = left.get_window_extent()
    assert all(box.x1 <= picture.x0 for box in rows)
    assert all(box.y0 >= picture.y1 for box in columns)


def test_single_characters_stand_upright_and_apart():
    figure = plot_heads(weights(1, 2, 30, 30), "W" * 30)
    figure.draw_without_rendering()
    labels = figure.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {0}
    assert apart([(box.x0, box.x1) for box in (label.get_window_extent() for label in labels)])


def test_lines_lead_from_who_looks_to_what_is_looked_at(tmp_path):
    head = np.array([[0.9, 0.1, 0.0], [0.005, 0.0, 0.995]])
    path = tmp_path / "lines.png"
    figure = plot_head_lines(
        head, ["▁$", "A", "$"], ["▁B", "▁C"], labels=("said", "read"), title="$A$", path=path
    )
    [axes] = figure.axes
    [lines] = axes.collections
    ends = [[tuple(point) for point in segment] for segment in lines.get_segments()]
    assert ends == [[(0, 0), (1, 0)], [(0, 0), (1, 1)], [(0, 1), (1, 2)]]
    assert_allclose(lines.get_colors()[:, 3], np.sqrt([0.9, 0.1, 0.995]))
    assert np.argsort(lines.get_linewidths()).tolist() == [1, 0, 2]
    placed = {(text.get_text(), text.xy) for text in axes.texts}
    assert {("▁B", (0.0, 0)), ("▁C", (0.0, 1)), ("▁$", (1.0, 0)), ("$", (1.0, 2))} <= placed
    assert {("said", (0.0, -1.0)), ("read", (1.0, -1.0))} <= placed
    assert not any(text.get_parse_math() for text in axes.texts)
    assert imread(path).ndim == 3


@pytest.mark.parametrize("length", [1, 6, 20, 40])
def test_words_at_lines_keep_apart_and_within(length):
    figure = plot_head_lines(weights(length, length), ["▁größere"] * length, title="a head")
    figure.draw_without_rendering()
    [axes] = figure.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    for words in (boxes[:length], boxes[length : 2 * length]):
        assert apart([(box.y0, box.y1) for box in words])
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_a_head_that_looks_nowhere_has_no_lines():
    figure = plot_head_lines(np.zeros((2, 2)), ["a", "b"])
    assert not figure.axes[0].collections[0].get_segments()
    figure.draw_without_rendering()


def test_statistics_are_tables_with_one_scale_for_a_measure(tmp_path):
    encoder = HeadStatistics(np.array([[0.0, 1.25], [3.5, 2.0]]), np.array([[7.0, 0.5], [2, 1]]))
    cross = HeadStatistics(np.array([[4.0, 1.0]]), np.array([[2.0, 150.0]]))
    path = tmp_path / "statistics.png"
    figure = plot_head_statistics({"encoder": encoder, "$cross": cross}, title="$x$", path=path)
    panels = [axes for axes in figure.axes if axes.get_images()]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "encoder: entropy",
        "encoder: distance",
        "$cross: entropy",
        "$cross: distance",
    ]
    shown = [*encoder, *cross]
    for axes, values, largest in zip(panels, shown, (4.0, 150.0) * 2, strict=True):
        image = axes.get_images()[0]
        assert_allclose(image.get_array(), values)
        assert image.get_clim() == (0.0, largest)
    assert [text.get_text() for text in panels[0].texts] == ["0.0", "1.2", "3.5", "2.0"]
    assert [text.get_text() for text in panels[3].texts] == ["2.0", "150"]
    assert [axes.get_ylabel() for axes in figure.axes[4:]] == ["bits", "positions"]
    assert imread(path).ndim == 3


def test_statistics_of_nothing_are_drawn():
    nothing = HeadStatistics(np.zeros((1, 2)), np.zeros((1, 2)))
    assert plot_head_statistics({"encoder": nothing}).axes[0].get_images()[0].get_clim() == (0, 1)


ONES = np.ones((2, 2))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_heads(ONES, ["a", "b"]), r"\(layers, heads, 2, 2\).*has \(2, 2\)"),
        (lambda: plot_heads(np.ones((1, 1, 3, 2)), ["a", "b"]), r"heads, 2, 2\).*\(1, 1, 3, 2\)"),
        (lambda: plot_heads(np.ones((0, 1, 1, 1)), ["a"]), "no axis empty"),
        (lambda: plot_head_lines(ONES, ["a"]), r"\(1, 1\).*has \(2, 2\)"),
        (lambda: plot_head_lines(np.ones((0, 2)), ["a", "b"], []), "no axis empty"),
        (lambda: plot_head_statistics({}), "at least one attention"),
        (
            lambda: plot_head_statistics({"x": HeadStatistics(ONES, np.ones(2))}),
            r"`statistics\['x'\].distance` must be finite numbers .* the shape \(2,\)",
        ),
        (
            lambda: plot_head_statistics({"x": HeadStatistics(ONES * np.nan, ONES)}),
            r"`statistics\['x'\].entropy` .* some not finite",
        ),
    ],
)
def test_wrong_input_is_told(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
