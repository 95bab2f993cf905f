"""The masked convolution: the block contract, its order, its masks."""

import keras
import numpy as np
import pytest

from kblocks.layers import MaskedConv2D
from tests.contract import NUMBERS_ONLY, check_layer
from tests.layers.grids.samples import MASKS, assert_same, images, weights_of, with_mask
from tests.reference import grids as reference


def test_contract() -> None:
    check_layer(
        MaskedConv2D,
        {"filters": 2, "kernel_size": 3, "kind": "A"},
        images(),
        reference.masked_conv_2d,
        bad_arguments=[{"kind": "C"}, {"kernel_size": 4}, {"kernel_size": (3, 2)}],
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": 2, "kernel_size": (3, 5), "kind": "B", "use_bias": False},
        {"filters": 6, "kernel_size": 3, "kind": "A", "colours": 3},
        {"filters": 3, "kernel_size": 1, "kind": "B", "colours": 3},
    ],
    ids=str,
)
def test_other_kinds(arguments: dict) -> None:
    check_layer(MaskedConv2D, arguments, images(), reference.masked_conv_2d, skip=NUMBERS_ONLY)


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_pixel_counts_as_outside_of_the_image(mask: str) -> None:
    layer = MaskedConv2D(2, 3, kind="B")
    x, valid = images(), MASKS[mask]
    layer.build(x.shape)
    weights = weights_of(layer)
    expected = reference.masked_conv_2d(weights, x, 2, 3, "B", mask=valid)
    x[~valid] = np.nan
    found = layer(with_mask(x, valid))
    assert_same(found, expected)
    assert_same(found._keras_mask, valid)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "valid"}, "`padding` must be 'same', got 'valid'"),
        ({"strides": 2}, "`strides` must be .1, 1., got 2"),
        ({"colours": 2, "filters": 3}, "`filters` must be a multiple of `colours`, got 3"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedConv2D(**{"filters": 4, "kernel_size": 3, **arguments})


def test_channels_that_the_colours_do_not_divide() -> None:
    with pytest.raises(ValueError, match="`inputs` must have a multiple of 2 channels"):
        MaskedConv2D(4, 3, colours=2)(images(channels=3))


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="`mask` must have the shape"):
        MaskedConv2D(4, 3)(keras.ops.ones((2, 4, 5, 3)), mask=keras.ops.ones((2, 4, 4), "bool"))


def test_count_seen_leaves_out_what_the_mask_does() -> None:
    layer = MaskedConv2D(2, 3, kind="B")
    layer.build((None, None, None, 3))
    assert layer.count_seen() == 5 * 3 * 2 + 2
