"""The pixel models: the contract, the order of the pixels, likelihoods and samples."""

import keras
import numpy as np
import pytest

from kblocks.models import PixelRNN
from kblocks.models.vision import count_weights
from kblocks.models.vision.pixel_block import LAYERS
from tests.contract import NUMBERS_ONLY, check_layer
from tests.contract.case import named_weights
from tests.reference import grids as reference


def binary(batch: int = 2, height: int = 3, width: int = 4) -> np.ndarray:
    draw = np.random.default_rng(0).random((batch, height, width, 1))
    return (draw < 0.5).astype("float32")


@pytest.mark.parametrize("layer", LAYERS)
def test_contract(layer: str) -> None:
    check_layer(
        PixelRNN,
        {"layer": layer, "units": 2, "layers": 1, "features": 3},
        binary(),
        reference.pixel_rnn,
        bad_arguments=[{"layer": "lstm"}, {"features": 0}],
        skip={"policies": "logits are float32 in mixed policies: see below"}
        if layer == "conv"
        else NUMBERS_ONLY,
    )


def test_two_layers_of_the_default_width() -> None:
    arguments = {"layer": "conv", "units": 2, "layers": 2}
    check_layer(PixelRNN, arguments, binary(), reference.pixel_rnn, skip=NUMBERS_ONLY)


def test_logits_are_float32_in_mixed_policies() -> None:
    for policy in ("mixed_float16", "mixed_bfloat16"):
        logits = PixelRNN("row", 2, 1, dtype=policy)(binary())
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert PixelRNN("row", 2, 1, dtype="float64")(binary().astype("float64")).dtype == "float64"


def seen_from(layer: str, height: int, width: int, layers: int) -> np.ndarray:
    """Which pixels each pixel's logit depends on, (height, width, height, width).

    Set by set, from what each layer says that it looks at.
    """
    pixels = [(i, j) for i in range(height) for j in range(width)]

    def in_image(i: int, j: int) -> bool:
        return 0 <= i < height and 0 <= j < width

    def convolved(below: dict, reach: int, itself: bool) -> dict:
        return {
            (i, j): set().union(
                *(
                    below[a, b]
                    for a in range(i - reach, i + 1)
                    for b in range(j - reach, j + reach + 1)
                    if in_image(a, b) and ((a, b) < (i, j) or (itself and (a, b) == (i, j)))
                )
            )
            for i, j in pixels
        }

    def by_rows(below: dict) -> dict:
        """Itself and its left neighbour; the states of the three pixels above."""
        state: dict = {}
        for i, j in pixels:
            state[i, j] = below[i, j] | below.get((i, j - 1), set())
            for b in (j - 1, j, j + 1):
                state[i, j] |= state.get((i - 1, b), set())
        return state

    def by_diagonals(below: dict) -> dict:
        left, right = {}, {}
        for side, step in ((left, 1), (right, -1)):
            for i in range(height):
                for j in range(width)[::step]:
                    side[i, j] = below[i, j] | side.get((i - 1, j), set())
                    side[i, j] |= side.get((i, j - step), set())
        return {(i, j): left[i, j] | right.get((i - 1, j), set()) for i, j in pixels}

    rule = {"row": by_rows, "diagonal": by_diagonals, "conv": lambda x: convolved(x, 1, True)}
    sets = convolved({pixel: {pixel} for pixel in pixels}, 3, itself=False)
    for _ in range(layers):
        new = rule[layer](sets)
        sets = {pixel: sets[pixel] | new[pixel] for pixel in pixels}
    seen = np.zeros((height, width, height, width), bool)
    for pixel in pixels:
        for other in sets[pixel]:
            seen[(*pixel, *other)] = True
    return seen


def changes(model: PixelRNN, height: int, width: int) -> np.ndarray:
    """Whether the logit at the first pixel changes with the second, (height, width) twice."""
    pixels = height * width
    image = np.random.default_rng(3).random((1, height, width, 1))
    changed = image + np.eye(pixels).reshape(pixels, height, width, 1)
    logits = keras.ops.convert_to_numpy(model(np.concatenate([image, changed])))
    # In float64 what depends differs by 1e-10 and more; rounding, which follows a row's place in
    # the batch, by 1e-17.
    differ = (np.abs(logits[1:] - logits[:1]) > 1e-14).reshape(pixels, pixels)
    return differ.T.reshape(height, width, height, width)


@pytest.mark.parametrize(
    ("layer", "layers", "height", "width"),
    # The 7 x 7 convolution sees far: only a tall or wide image shows where a model is blind.
    [("row", 1, 6, 16), ("conv", 1, 9, 12), ("diagonal", 1, 6, 11), ("diagonal", 2, 4, 3)],
)
def test_a_pixel_changes_the_later_ones_within_reach_and_no_others(
    layer: str, layers: int, height: int, width: int
) -> None:
    keras.utils.set_random_seed(2)
    model = PixelRNN(layer, units=6, layers=layers, dtype="float64")
    found, seen = changes(model, height, width), seen_from(layer, height, width, layers)
    before = np.arange(height * width)
    later = (before[:, None] > before).reshape(found.shape)
    assert not found[~later].any(), "a pixel changes itself or an earlier one"
    np.testing.assert_array_equal(found, seen)
    blind = later & ~seen
    if layer == "diagonal":
        for i, j, a, b in np.ndindex(blind.shape):
            assert blind[i, j, a, b] == ((a, b) == (i - 1, width - 1) and j + 3 < b)
    else:
        assert blind.mean() > 0.01, "the image is too small to show where the model is blind"


def test_likelihoods_of_all_images_add_up_to_one() -> None:
    numbers = np.arange(2**6)
    images = (numbers[:, None] >> np.arange(6) & 1).reshape(-1, 2, 3, 1).astype("float32")
    for layer in LAYERS:
        model = PixelRNN(layer, units=2, layers=1)
        model.build()
        for variable in model.trainable_variables:
            variable.assign(keras.random.normal(variable.shape, seed=4))
        nats = keras.ops.convert_to_numpy(model.log_likelihood(images))
        assert np.ptp(nats) > 0.1
        np.testing.assert_allclose(np.exp(nats).sum(), 1, atol=1e-5)


def test_log_likelihood_is_the_sum_over_pixels() -> None:
    model, images = PixelRNN("conv", units=2, layers=1), binary()
    p = 1 / (1 + np.exp(-keras.ops.convert_to_numpy(model(images)).astype("float64")))
    expected = np.log(np.where(images == 1, p, 1 - p)).sum((1, 2, 3))
    np.testing.assert_allclose(model.log_likelihood(images), expected, rtol=1e-5)


@pytest.mark.parametrize("layer", LAYERS)
def test_samples_have_the_frequencies_of_the_likelihood(layer: str) -> None:
    model = PixelRNN(layer, units=2, layers=1)
    model.build()
    for variable in model.trainable_variables:
        variable.assign(keras.random.normal(variable.shape, seed=4))
    drawn = keras.ops.convert_to_numpy(model.sample(4000, 2, 2, seed=5))
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    images = (np.arange(16)[:, None] >> np.arange(4) & 1).reshape(-1, 2, 2, 1).astype("float32")
    expected = np.exp(keras.ops.convert_to_numpy(model.log_likelihood(images)))
    numbers = drawn.reshape(-1, 4) @ (1 << np.arange(4))
    found = np.bincount(numbers.astype(int), minlength=16) / len(drawn)
    # Four standard deviations of a frequency out of 4000.
    assert (np.abs(found - expected) <= 4 * np.sqrt(expected / 4000) + 1e-4).all()
    assert np.abs(expected - 1 / 16).max() > 0.02, "a model that knows nothing would pass"


def test_the_seed_decides_what_is_drawn() -> None:
    model = PixelRNN("conv", units=2, layers=1)
    first, again, other = (
        keras.ops.convert_to_numpy(model.sample(3, 4, 5, seed=s)) for s in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("features", [None, 5])
def test_count_weights(layer: str, features: int | None) -> None:
    model = PixelRNN(layer, units=3, layers=2, features=features, kernel_size=5)
    model.build()
    hidden = 0
    for path, variable in named_weights(model).items():
        if path.endswith("kernel") and len(variable.shape) == 4:
            part = model
            for name in path.split("/")[:-1]:
                part = part[int(name)] if name.isdigit() else getattr(part, name)
            hidden += int((part.kernel_mask == 0).sum())
    assert count_weights(layer, 3, 2, features, 5) == model.count_params() - hidden


def test_sizes_that_do_not_fit() -> None:
    model = PixelRNN("conv", units=2, layers=1)
    with pytest.raises(ValueError, match="`height` must be a positive integer, got 0"):
        model.sample(1, height=0)
    with pytest.raises(ValueError, match=r"`inputs` must have shape \(batch, height, width, 1\)"):
        model.log_likelihood(np.ones((2, 3, 4, 3), "float32"))
