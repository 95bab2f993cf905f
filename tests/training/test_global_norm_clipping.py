"""Clipping of the whole gradient, on one device; tests/distribute has it on several."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.training import GlobalNormClipping, NoamSchedule
from tests.parity.other_backends import check_on
from tests.reference import training as reference

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 3)).astype("float32"), rng.normal(size=(12, 2)).astype("float32")


def linear(optimizer: keras.optimizers.Optimizer, **compiled: Any) -> keras.Model:
    """The same regression each time."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, bias_initializer="ones")])
    model.compile(optimizer, "mse", **compiled)
    return model


def fit(model: keras.Model, data: tuple, batch: int = 4, epochs: int = 1) -> list[np.ndarray]:
    model.fit(*data, batch_size=batch, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


def same(left: list, right: list, rtol: float = 1e-5) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


# The first norm clips every step, the second some, the last none.
@pytest.mark.parametrize("norm", [0.1, 1.5, 100])
def test_equals_the_reference(data: tuple, norm: float) -> None:
    model = linear(GlobalNormClipping(SGD(0.3), norm))
    expected = reference.regression(*data, *model.get_weights(), norm=norm, rate=0.3, batch=4)
    same(fit(model, data), expected)


def test_a_small_gradient_is_left_as_it_is(data: tuple) -> None:
    same(fit(linear(GlobalNormClipping(Adam(0.1), 1e6)), data), fit(linear(Adam(0.1)), data), 0)


def test_xla(data: tuple) -> None:
    if keras.backend.backend() == "torch":
        pytest.skip("torch.compile is no XLA")
    eager = fit(linear(GlobalNormClipping(Adam(0.1), 0.1), run_eagerly=True), data)
    same(fit(linear(GlobalNormClipping(Adam(0.1), 0.1), jit_compile=True), data), eager)


def test_accumulated_steps_clip_their_mean(data: tuple) -> None:
    optimizer = GlobalNormClipping(SGD(0.3, gradient_accumulation_steps=2), 0.1)
    halves = fit(linear(optimizer), data, batch=2)
    assert int(optimizer.iterations) == 3
    same(halves, fit(linear(GlobalNormClipping(SGD(0.3), 0.1)), data, batch=4))


@pytest.mark.parametrize("scaled", ["around", "factor"])
def test_clips_what_was_unscaled(data: tuple, scaled: str) -> None:
    if scaled == "around":
        optimizer = keras.optimizers.LossScaleOptimizer(GlobalNormClipping(SGD(0.3), 0.1), 256.0)
    else:
        optimizer = GlobalNormClipping(SGD(0.3, loss_scale_factor=256.0), 0.1)
    same(fit(linear(optimizer), data), fit(linear(GlobalNormClipping(SGD(0.3), 0.1)), data))


def test_loss_scaling_takes_the_place_of_the_factor() -> None:
    clipping = GlobalNormClipping(SGD(0.3, loss_scale_factor=256.0), 0.1)
    keras.optimizers.LossScaleOptimizer(clipping)
    assert clipping.loss_scale_factor is None
    assert clipping.optimizer.loss_scale_factor is None


def test_mixed_precision(data: tuple) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    model = linear(GlobalNormClipping(SGD(0.3), 0.1))
    expected = reference.regression(*data, *model.get_weights(), norm=0.1, rate=0.3, batch=4)
    same(fit(model, data), expected, rtol=2e-3)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert int(model.optimizer.iterations) == 3


def test_a_gradient_that_is_not_finite_shows() -> None:
    first, second = keras.Variable([1.0, 2.0]), keras.Variable([3.0])
    optimizer = GlobalNormClipping(SGD(1.0), 1.0)
    gradients = [ops.convert_to_tensor(g) for g in ([np.inf, 0.0], [1.0])]
    optimizer.apply(gradients, [first, second])
    assert np.isnan(ops.convert_to_numpy(second)).all()


def test_a_token_that_comes_twice_is_one_row() -> None:
    """Of an embedding the norm and the squares are those of the whole gradient."""
    table, ids = np.ones((4, 2), "float32"), np.array([[1, 1, 2]])
    embedding = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(4, 2)])
    embedding.compile(GlobalNormClipping(Adam(0.1), 1.0), "mse")
    embedding.set_weights([table])
    goal = np.arange(6, dtype="float32").reshape(1, 3, 2)
    embedding.fit(ids, goal, epochs=2, verbose=0)

    one_hot = keras.Sequential([keras.Input((3, 4)), keras.layers.Dense(2, use_bias=False)])
    one_hot.compile(GlobalNormClipping(Adam(0.1), 1.0), "mse")
    one_hot.set_weights([table])
    one_hot.fit(np.eye(4, dtype="float32")[ids], goal, epochs=2, verbose=0)
    same(embedding.get_weights(), one_hot.get_weights())


def test_a_keras_file_goes_on_where_it_was(data: tuple, tmp_path: Path) -> None:
    model = linear(GlobalNormClipping(keras.optimizers.AdamW(0.1), 0.1))
    fit(model, data)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, GlobalNormClipping)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    same(
        [ops.convert_to_numpy(v) for v in loaded.optimizer.variables],
        [ops.convert_to_numpy(v) for v in model.optimizer.variables],
        0,
    )
    assert int(loaded.optimizer.iterations) == 3
    same(fit(loaded, data), fit(model, data))


def test_weights_come_back_without_the_model_file(data: tuple, tmp_path: Path) -> None:
    model = linear(GlobalNormClipping(Adam(0.1), 0.1))
    fit(model, data)
    path = str(tmp_path / "model.weights.h5")
    model.save_weights(path)
    again = linear(GlobalNormClipping(Adam(0.1), 0.1))
    again.optimizer.build(again.trainable_variables)
    again.load_weights(path)
    same(fit(again, data), fit(model, data))


def test_the_moving_average_of_the_weights_ends_in_them(data: tuple) -> None:
    expected = fit(linear(SGD(0.3, use_ema=True, ema_momentum=0.9)), data)
    assert not np.allclose(expected[0], fit(linear(SGD(0.3)), data)[0])
    wrapped = GlobalNormClipping(SGD(0.3, use_ema=True, ema_momentum=0.9), 1e6)
    same(fit(linear(wrapped), data), expected)


def test_the_learning_rate_is_the_optimizers(data: tuple) -> None:
    model = linear(GlobalNormClipping(SGD(0.3), 1e6))
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)
    model.fit(*data, epochs=2, verbose=0, callbacks=[schedule])
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.075)
    assert float(ops.convert_to_numpy(model.optimizer.optimizer.learning_rate)) == pytest.approx(
        0.075
    )


def test_a_schedule_runs_and_is_saved(data: tuple) -> None:
    optimizer = GlobalNormClipping(SGD(NoamSchedule(16, 4)), 1e6)
    fit(linear(optimizer), data)  # three steps
    assert float(optimizer.learning_rate) == pytest.approx(reference.noam_rate(4, 16, 4))
    copy = GlobalNormClipping.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()
    assert isinstance(copy.optimizer._learning_rate, NoamSchedule)


def test_by_name_and_as_the_one_optimizer_of_two() -> None:
    assert isinstance(GlobalNormClipping("adam", 1).optimizer, Adam)
    optimizer = SGD(1.0)
    GlobalNormClipping(optimizer, 1.0)
    last = GlobalNormClipping(optimizer, 0.5)  # the last wrapper clips
    weight = keras.Variable([0.0])
    last.apply([ops.convert_to_tensor([-8.0])], [weight])
    assert ops.convert_to_numpy(weight).tolist() == [0.5]


@pytest.mark.parametrize("norm", [0, -1.0, np.inf, np.nan, "1", None, True])
def test_a_wrong_norm(norm: Any) -> None:
    with pytest.raises(ValueError, match="`norm` must be a positive number, but it is"):
        GlobalNormClipping(SGD(1.0), norm)


@pytest.mark.parametrize("argument", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_an_optimizer_that_clips(argument: str) -> None:
    with pytest.raises(ValueError, match=f"its {argument} is 2.0"):
        GlobalNormClipping(SGD(1.0, **{argument: 2.0}), 1.0)


@pytest.mark.parametrize("wrapper", ["scaling", "clipping"])
def test_an_optimizer_that_wraps(wrapper: str) -> None:
    wrap = keras.optimizers.LossScaleOptimizer
    wrapped = wrap(SGD(1.0)) if wrapper == "scaling" else GlobalNormClipping(SGD(1.0), 1.0)
    with pytest.raises(ValueError, match="`optimizer` must be a plain optimizer"):
        GlobalNormClipping(wrapped, 1.0)


@pytest.mark.parity
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_on_the_other_backends(backend: str) -> None:
    check_on(backend, __file__)
