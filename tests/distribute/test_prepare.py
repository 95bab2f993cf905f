"""`prepare` on two replicas, two logical CPUs of this process, against one device."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.distribute import prepare, strategy
from kblocks.training import GlobalNormClipping
from tests.distribute import job
from tests.reference import training as reference

pytestmark = pytest.mark.slow

SGD, LossScale = keras.optimizers.SGD, keras.optimizers.LossScaleOptimizer


def linear(optimizer: Callable[[], Any], **compiled: Any) -> keras.Model:
    """A regression on two replicas."""
    keras.utils.set_random_seed(0)
    with strategy("mirrored").scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(optimizer(), "mse", **compiled)
    return model


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    """In each batch of four the gradients of the first and the last two are orthogonal."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 3)) * np.array([[1, 0, 0]] * 2 + [[0, 1, 1]] * 2 + [[1, 1, 0]] * 4)
    y = rng.normal(size=(8, 2)) + np.array([[9, 0]] * 2 + [[0, 9]] * 2 + [[3, 3]] * 4)
    return x.astype("float32"), y.astype("float32")


def fit(model: keras.Model, data: tuple) -> list[np.ndarray]:
    prepare(model).fit(*data, batch_size=4, shuffle=False, verbose=0)
    return model.get_weights()


def expected(model: keras.Model, data: tuple) -> list[np.ndarray]:
    return reference.regression(*data, *model.get_weights(), norm=0.5, rate=0.3, batch=4)


def test_the_translator_trains_as_on_one_device() -> None:
    _, alone = job.train("single")
    model, together = job.train("mirrored")
    assert model.distribute_strategy.num_replicas_in_sync == 2
    assert alone["steps"] == 8
    # The logs of a batch are a mean over the replicas, those of an epoch are exact.
    for name, value in alone.items():
        np.testing.assert_allclose(together[name], value, rtol=2e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("scaled", [False, True])
def test_clipping_equals_the_reference(data: tuple, scaled: bool) -> None:
    def optimizer() -> keras.optimizers.Optimizer:
        clipping = GlobalNormClipping(SGD(0.3), 0.5)
        return LossScale(clipping, 256.0) if scaled else clipping

    model = linear(optimizer)
    for w, right in zip(expected(model, data), fit(model, data), strict=True):
        np.testing.assert_allclose(w, right, rtol=1e-5, atol=1e-6)


def test_the_data_tells_clipping_before_the_sum_from_clipping_after(data: tuple) -> None:
    model = linear(lambda: SGD(0.3, global_clipnorm=0.5))
    right = expected(model, data)
    assert np.abs(fit(model, data)[0] - right[0]).max() > 0.01


def test_mixed_precision(data: tuple) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    model = linear(lambda: LossScale(GlobalNormClipping(SGD(0.3), 0.5), initial_scale=256.0))
    for w, right in zip(expected(model, data), fit(model, data), strict=True):
        np.testing.assert_allclose(w, right, rtol=2e-3, atol=2e-3)


def test_an_overflow_on_the_other_replica_skips_the_step(data: tuple) -> None:
    model = linear(lambda: LossScale(GlobalNormClipping(SGD(0.3), 0.5), initial_scale=2.0**126))
    before = model.get_weights()
    x, y = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
    y[-1] = 100.0  # the second replica's
    fit(model, (x, y))
    np.testing.assert_array_equal(model.get_weights()[1], before[1])
    assert model.optimizer.dynamic_scale.numpy() == 2.0**125


def test_a_batch_that_does_not_split_evenly() -> None:
    model = linear(lambda: SGD(0.1), metrics=["mae"])
    x, y = np.ones((3, 3), "float32"), np.ones((3, 2), "float32")
    prepare(model).fit(x, y, batch_size=3, verbose=0)
    by_hand = np.abs(model(x).numpy() - y).mean()
    assert model.evaluate(x, y, batch_size=3, verbose=0)[1] == pytest.approx(by_hand, rel=1e-5)
    assert model.predict(x, batch_size=3, verbose=0).shape == (3, 2)


def test_no_batch_is_lost_to_building() -> None:
    """A shuffled dataset gives the first epoch what it gives on one device."""
    seen: list[float] = []

    def record(x: Any) -> Any:
        tf.numpy_function(lambda value: seen.append(float(value[0])), [x], [])
        return x

    x = np.arange(12, dtype="float32").reshape(4, 3)
    dataset = tf.data.Dataset.from_tensor_slices((x, x[:, :2])).map(lambda x, y: (record(x), y))
    prepare(linear(lambda: SGD(1e-4))).fit(dataset.batch(2), shuffle=False, verbose=0)
    assert seen == [0.0, 3.0, 6.0, 9.0]


def test_one_device_stays_as_it_was() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    before = dict(vars(model))
    assert prepare(model) is model
    assert vars(model) == before


def test_a_single_worker() -> None:
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
    losses = job.BatchLosses()
    x = np.ones((4, 3), "float32")
    prepare(model).fit(x, x[:, :2], batch_size=2, callbacks=[losses], verbose=0)
    assert len(losses.losses) == 2


def test_a_model_that_is_not_compiled() -> None:
    with pytest.raises(ValueError, match="`model` must be compiled"):
        prepare(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


def test_a_model_from_outside_of_the_scope() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with strategy("mirrored").scope(), pytest.raises(ValueError, match="made in the scope"):
        prepare(model)


def test_an_optimizer_from_outside_of_the_scope() -> None:
    outside = SGD(0.1)
    with pytest.raises(ValueError, match="must have an optimizer made in the scope"):
        prepare(linear(lambda: outside))
    wrapped = SGD(0.1)
    with pytest.raises(ValueError, match="must have an optimizer made in the scope"):
        prepare(linear(lambda: GlobalNormClipping(wrapped, 1.0)))


@pytest.mark.parametrize("argument", [{"jit_compile": True}, {"steps_per_execution": 2}])
def test_what_keras_cannot_compile_for_replicas(argument: dict[str, Any]) -> None:
    name = next(iter(argument))
    with pytest.raises(ValueError, match=f"`model` must have {name}="):
        prepare(linear(lambda: SGD(0.1), **argument))


@pytest.mark.parametrize(
    "arguments",
    [{"gradient_accumulation_steps": 2}, {"use_ema": True, "ema_overwrite_frequency": 2}],
)
def test_what_keras_optimizers_cannot_do_on_replicas(arguments: dict[str, Any]) -> None:
    name = list(arguments)[-1]
    with pytest.raises(ValueError, match=f"`model` must have {name}=None"):
        prepare(linear(lambda: GlobalNormClipping(SGD(0.1, **arguments), 1.0)))
