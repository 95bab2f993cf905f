"""The pictures: what stands in them, that they are written whole, and that wrong input is told."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_allclose

from kblocks.plotting import plot_attention, plot_curves, plot_gates

SOURCE = ["▁Select", "▁$", "A", "$", "1", "."]
TARGET = ["▁Wählen", "▁Sie", "▁$", "A", "$", "1", "."]


def test_attention_has_both_sentences_as_axes_and_the_weights_as_colours():
    weights = np.random.default_rng(1).dirichlet(np.ones(6), size=7)
    axes, bar = plot_attention(weights, SOURCE, TARGET, title="$A$1").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == SOURCE
    assert [label.get_text() for label in axes.get_yticklabels()] == TARGET
    image = axes.get_images()[0]
    assert_allclose(image.get_array(), weights, rtol=1e-6)
    assert image.get_clim() == (0.0, 1.0)
    assert bar.get_ylabel() == "attention weight"
    assert not any(label.get_parse_math() for label in axes.get_xticklabels())


@pytest.mark.parametrize("length", [1, 3, 40])
def test_attention_labels_do_not_overlap(length):
    figure = plot_attention(np.eye(length), ["▁Übersicht"] * length, ["▁größere"] * length)
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in itertools.pairwise(boxes))
    ticks = figure.axes[0].get_xticklabels()
    heights = [label.get_fontsize() * figure.dpi / 72 for label in ticks]
    places = [label.get_window_extent().x0 for label in ticks]
    assert all(b - a > h for a, b, h in zip(places, places[1:], heights, strict=False))


def test_gates_have_a_panel_each_with_time_along_the_bottom():
    generator = np.random.default_rng(1)
    gates = {
        "forget": generator.uniform(0, 1, (5, 3)),
        "candidate": generator.uniform(-1, 1, (5, 3)),
    }
    tokens = ["▁Guten", "▁Tag", ",", "▁Welt", "!"]
    figure = plot_gates(gates, tokens)
    panels = [axes for axes in figure.axes if axes.get_images()]
    assert [axes.get_title(loc="left") for axes in panels] == ["forget", "candidate"]
    for axes, values in zip(panels, gates.values(), strict=True):
        assert_allclose(axes.get_images()[0].get_array(), values.T, rtol=1e-6)
    assert [axes.get_images()[0].get_clim() for axes in panels] == [(0.0, 1.0), (-1.0, 1.0)]
    assert [label.get_text() for label in panels[-1].get_xticklabels()] == tokens


def test_curves_read_a_log_with_gaps(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss,val_bleu,val_loss\n0,3.5,,3.9\n1,2.5,11.0,3.1\n2,2.0,17.5,2.8\n")
    losses, bleu = plot_curves(log, metric="val_bleu").axes
    training, validation = losses.get_lines()
    assert_allclose(training.get_xydata(), [[1, 3.5], [2, 2.5], [3, 2.0]])
    assert_allclose(validation.get_ydata(), [3.9, 3.1, 2.8])
    assert_allclose(bleu.get_lines()[0].get_xydata(), [[2, 11.0], [3, 17.5]])
    assert [text.get_text() for text in losses.get_legend().get_texts()] == [
        "training",
        "validation",
    ]
    assert (losses.get_ylabel(), bleu.get_ylabel()) == ("loss", "BLEU")
    several = plot_curves(log, metric=["val_loss", "val_bleu"]).axes
    assert [axes.get_ylabel() for axes in several] == ["loss", "loss", "BLEU"]


def test_a_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "attention.png"
    plot_attention(np.eye(2), ["Good", "day"], ["Guten", "Tag 日"], path=path)
    assert imread(path).ndim == 3
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        plot_attention(np.zeros((1, 1)), ["a"], ["b"], path=path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["attention.png"]


def test_no_picture_touches_pyplot(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    plot_curves({"loss": [1.0]})
    plot_gates({"z": [[0.5]]}, ["a"])
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_attention(np.eye(3), ["a"], ["b"]), r"\(1, 1\).*has \(3, 3\)"),
        (lambda: plot_attention(np.zeros((0, 2)), ["a", "b"], []), "no axis empty"),
        (lambda: plot_gates({}, ["a"]), "at least one gate"),
        (lambda: plot_gates({"f": np.zeros((2, 3))}, ["a"]), r"`gates\['f'\]`.*\(2, 3\)"),
        (lambda: plot_curves({"val_loss": [1.0]}), "column 'loss', and has: val_loss"),
        (lambda: plot_curves({"loss": [1.0]}, metric="val_bleu"), "column 'val_bleu'"),
        (lambda: plot_curves({"loss": []}), "at least one epoch"),
    ],
)
def test_wrong_input_is_told(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_a_missing_log_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        plot_curves(Path(tmp_path / "nowhere.csv"))
