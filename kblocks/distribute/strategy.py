"""One name for each way of spreading a training over devices and machines."""

import os

import keras
import tensorflow as tf

from kblocks.distribute.cluster import read_cluster

NAMES = ("auto", "single", "mirrored", "multi_worker", "tpu")


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Make the `tf.distribute` strategy of a name.

    Make it first of all in a program: `"multi_worker"` and `"tpu"` are refused by TensorFlow once
    an operation has run. Then make and compile the model inside of `scope()`, and hand it to
    `prepare`.

    - `"auto"`: `"multi_worker"` where TF_CONFIG names several workers, `"mirrored"` where this
      machine has several GPUs, else `"single"`.
    - `"single"`: TensorFlow's default, no distribution.
    - `"mirrored"`: one replica for each GPU, or for each logical CPU where there is no GPU.
    - `"multi_worker"`: the workers of TF_CONFIG, each with all of its GPUs or with its CPU. Each
      worker runs the same program, and waits here for all the others.
    - `"tpu"`: the TPU of this machine, or the one that the environment variable TPU_NAME names.

    Args:
        name: One of the names above.

    Returns:
        The strategy.

    Raises:
        ValueError: The name is unknown, TF_CONFIG does not fit, there is no TPU, or Keras does not
            run on TensorFlow.
        RuntimeError: TensorFlow has run an operation already, and cannot join a cluster any more.

    Example:

    >>> from kblocks.distribute import strategy
    >>> strategy("single").num_replicas_in_sync
    1
    """
    if name not in NAMES:
        raise ValueError(f"`strategy` must be one of {', '.join(NAMES)}, but it is {name!r}.")
    if tf.distribute.has_strategy():
        raise ValueError("`strategy` must be made outside of another strategy's scope.")
    if name == "auto":
        name = _automatic()
    if name == "single":
        return tf.distribute.get_strategy()
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"`strategy` {name!r} needs Keras on TensorFlow, but Keras runs on "
            f"{keras.backend.backend()}: use 'single'."
        )
    if name == "mirrored":
        return _mirrored()
    return _multi_worker() if name == "multi_worker" else _tpu()


def _automatic() -> str:
    if keras.backend.backend() != "tensorflow":
        return "single"
    cluster = read_cluster()
    if cluster is not None and len(cluster.workers) > 1:
        return "multi_worker"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "single"


def _mirrored() -> tf.distribute.Strategy:
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    # On CPUs a sum on one of them; TensorFlow's collectives fail for good once a step was stopped.
    return tf.distribute.MirroredStrategy(cross_device_ops=tf.distribute.ReductionToOneDevice())


def _multi_worker() -> tf.distribute.Strategy:
    if read_cluster() is None:
        raise ValueError(
            "`strategy` 'multi_worker' needs the environment variable TF_CONFIG, which names the "
            "workers, but it is not set."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            "`strategy` 'multi_worker' must be made before TensorFlow runs its first operation: "
            "make it at the start of the program."
        ) from error


def _tpu() -> tf.distribute.Strategy:
    address = os.environ.get("TPU_NAME") or "local"
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        if address != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        raise ValueError(
            f"`strategy` 'tpu' needs a TPU, but none was found at {address!r}: set the environment "
            "variable TPU_NAME to the name or the grpc:// address of one."
        ) from error
    return tf.distribute.TPUStrategy(resolver)
