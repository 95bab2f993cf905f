"""What Keras 3 lacks to fit a model on several replicas and workers."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Tree = Any


def prepare(model: keras.Model) -> keras.Model:
    """Make `fit`, `evaluate` and `predict` of a compiled model right under its strategy.

    Keras takes the shapes of the first batch from a mean over the replicas, which loses a batch,
    and fails where the batch does not split evenly, holds strings, or comes from several workers;
    it averages the logs of several workers along an axis that they do not have; and its loss
    scaling asks one replica alone whether the gradients are finite. These are mended on this one
    model object; its class, its saved files and its training on one device stay as they are.

    A batch of the dataset is the *global* batch: each replica takes its share of every batch, in
    order, so the same dataset gives the same steps however many replicas there are. For this:

    - Each worker makes the same dataset in the same order: shuffle with a seed, and with
      `keras.utils.set_random_seed` where `fit` shuffles arrays. The weights start as the first
      worker's. A dataset that reads several files is split by files, unless its options have
      `experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA`.
    - Let the batches split evenly (`drop_remainder=True`): the replicas' losses are averaged, so
      in an uneven batch the examples of a small share count for more. A loss that is a mean over
      anything but the examples (over words, say) differs as well; `MaskedCrossentropy` does not.
    - Clip with `kblocks.training.GlobalNormClipping`; `clipnorm` and `global_clipnorm` of the
      Keras optimizers clip the share of each replica.

    Callbacks run in every worker, on the same logs. One of them that writes goes to the chief
    alone (`kblocks.distribute.is_chief`). `predict` returns all rows, in order, in every worker.

    Args:
        model: A compiled model, made and compiled inside of the `scope()` of its strategy.

    Returns:
        The same model. Under a single replica it is untouched.

    Raises:
        ValueError: The model is not compiled, or not in the scope of the strategy, or asks for
            what no strategy of several replicas can do in Keras: XLA, `steps_per_execution`,
            gradient accumulation, or overwriting the weights with their moving average.

    Example:

    >>> import keras
    >>> from kblocks.distribute import prepare, strategy
    >>> with strategy("single").scope():
    ...     model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    >>> model = prepare(model)
    """
    if not model.compiled:
        raise ValueError("`model` must be compiled before `prepare`, but it is not.")
    strategy = model.distribute_strategy
    if tf.distribute.has_strategy() and tf.distribute.get_strategy() is not strategy:
        raise ValueError("`model` must be made in the scope of the strategy, but it was not.")
    if strategy.num_replicas_in_sync > 1:
        _check_compiled(model, strategy)
        model._maybe_symbolic_build = functools.partial(_build_from_specs, model)
        if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
            model.optimizer.check_finite = functools.partial(_finite_everywhere, model.optimizer)
    if (
        isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        and strategy.extended._in_multi_worker_mode()  # where Keras averages along an axis
    ):
        model._make_function = functools.partial(_make_function, model)
        model.train_function = model.test_function = None
    return model


def _check_compiled(model: keras.Model, strategy: tf.distribute.Strategy) -> None:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # loss scaling around clipping
    if getattr(optimizer, "_distribution_strategy", strategy) is not strategy:
        raise ValueError(
            "`model` must have an optimizer made in the scope of the strategy, but its "
            f"{optimizer.name} was made outside."
        )
    for owner, argument, neutral in (
        (model, "jit_compile", False),
        (model, "steps_per_execution", 1),
        (optimizer, "gradient_accumulation_steps", None),
        (optimizer, "ema_overwrite_frequency", None),
    ):
        value = getattr(owner, argument, neutral)
        if value and value != neutral:
            raise ValueError(
                f"`model` must have {argument}={neutral} on several replicas, where Keras does not "
                f"support more, but it is {value}."
            )


def _build_from_specs(model: keras.Model, iterator: Any = None, data_batch: Tree = None) -> None:
    """Build what is not built yet, from the dataset's shapes; no batch is drawn and lost."""
    if iterator is not None:
        data_batch = tf.nest.map_structure(_local_spec, iterator._distributed_dataset.element_spec)
    with model.distribute_strategy.scope():
        model._symbolic_build(data_batch=data_batch)


def _local_spec(spec: Any) -> tf.TypeSpec | None:
    if isinstance(spec, tf.OptionalSpec):  # a place in the batch that is left out
        return None
    return getattr(spec, "_value_specs", (spec,))[0]  # of the first replica


def _finite_everywhere(
    optimizer: keras.optimizers.LossScaleOptimizer, gradients: list[Any]
) -> tf.Tensor:
    """Whether the gradients of all replicas are finite, the same answer on each of them."""
    finite = type(optimizer).check_finite(optimizer, gradients)
    context = tf.distribute.get_replica_context()
    count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(finite, tf.int32))
    return tf.equal(count, context.num_replicas_in_sync)


def _make_function(model: keras.Model, step: Callable[[Tree], Tree]) -> Callable[[Any], Tree]:
    """Keras' train or test function, of a step whose logs have the axis that Keras averages."""

    def step_with_axis(data: Tree) -> Tree:
        return tf.nest.map_structure(lambda log: tf.expand_dims(log, 0), step(data))

    return type(model)._make_function(model, step_with_axis)
