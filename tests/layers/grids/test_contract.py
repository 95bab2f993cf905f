"""The layers over images held to the block contract."""

import numpy as np
import pytest

from kblocks import layers
from tests.contract import NUMBERS_ONLY, check_layer
from tests.layers.grids.samples import images
from tests.reference import grids as reference


@pytest.mark.full
def test_lstm_2d_with_everything() -> None:
    check_layer(
        layers.LSTM2D,
        {
            "units": 2,
            "peepholes": True,
            "return_state": True,
            "return_gates": True,
        },
        images(),
        reference.lstm_2d,
        bad_arguments=[{"directions": 3}, {"merge_mode": "max"}],
    )


def test_fast_lstm_2d_in_two_directions() -> None:
    check_layer(layers.LSTM2D, {"units": 4, "directions": 2}, images(), reference.lstm_2d)


def test_fast_lstm_2d_in_four_directions() -> None:
    check_layer(
        layers.LSTM2D,
        {"units": 2, "directions": 4, "return_state": True},
        images(),
        reference.lstm_2d,
        skip=NUMBERS_ONLY,
    )


@pytest.mark.slow
@pytest.mark.parametrize("merge_mode", ["sum", "ave", "mul"])
def test_lstm_2d_merged(merge_mode: str) -> None:
    check_layer(
        layers.LSTM2D,
        {"units": 2, "directions": 2, "merge_mode": merge_mode},
        images(),
        reference.lstm_2d,
        skip=NUMBERS_ONLY,
    )


@pytest.mark.parametrize("peepholes", [False, True])
def test_lstm_2d_cell(peepholes: bool) -> None:
    draw = np.random.default_rng(1).normal(size=(4, 3, 2)).astype("float32")
    inputs = np.random.default_rng(2).normal(size=(3, 5)).astype("float32")
    check_layer(
        layers.LSTM2DCell,
        {"units": 2, "peepholes": peepholes},
        {"inputs": inputs, "states": list(draw)},
        reference.lstm_2d_cell,
        skip={} if peepholes else NUMBERS_ONLY,
    )


def test_row_lstm() -> None:
    check_layer(
        layers.RowLSTM,
        {"units": 2, "return_gates": True},
        images(),
        reference.row_lstm,
        bad_arguments=[{"kernel_size": 2}, {"kind": "C"}],
    )


def test_row_lstm_of_kind_a() -> None:
    arguments = {"units": 2, "kernel_size": 5, "kind": "A"}
    check_layer(layers.RowLSTM, arguments, images(), reference.row_lstm, skip=NUMBERS_ONLY)


def test_diagonal_bilstm() -> None:
    check_layer(
        layers.DiagonalBiLSTM,
        {"units": 2, "return_gates": True},
        images(),
        reference.diagonal_bilstm,
    )
