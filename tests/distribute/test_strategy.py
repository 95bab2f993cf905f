"""The strategies by name, and the cluster that TF_CONFIG describes."""

import json
from typing import Any

import pytest
import tensorflow as tf

from kblocks.distribute import Cluster, is_chief, read_cluster, strategy

TWO = {"worker": ["a:1", "b:2"]}


@pytest.fixture
def tf_config(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(config: Any) -> None:
        text = config if isinstance(config, str) else json.dumps(config)
        monkeypatch.setenv("TF_CONFIG", text)

    monkeypatch.delenv("TF_CONFIG", raising=False)
    return put


def task(kind: str, index: Any, cluster: dict = TWO) -> dict:
    return {"cluster": cluster, "task": {"type": kind, "index": index}}


def test_without_a_cluster(tf_config: Any) -> None:
    assert read_cluster() is None
    assert is_chief()
    tf_config({})
    assert read_cluster() is None


def test_the_first_worker_is_the_chief(tf_config: Any) -> None:
    tf_config(task("worker", 0))
    assert read_cluster() == Cluster(("a:1", "b:2"), 0)
    assert is_chief()
    tf_config(task("worker", 1))
    assert not is_chief()


def test_a_chief_by_name_stands_before_the_workers(tf_config: Any) -> None:
    cluster = {"chief": ["c:3"], **TWO}
    tf_config(task("chief", 0, cluster))
    assert read_cluster() == Cluster(("c:3", "a:1", "b:2"), 0)
    tf_config(task("worker", 0, cluster))
    assert read_cluster() == Cluster(("c:3", "a:1", "b:2"), 1)
    assert not is_chief()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG must be JSON, but"),
        ([], "must be a JSON object, but it is"),
        ({"cluster": {"ps": ["a:1"]}}, "lists of addresses for `worker`"),
        ({"cluster": ["a:1"]}, "lists of addresses for `worker`"),
        ({"cluster": {"worker": "a:1"}}, "must have a list of addresses for 'worker', but"),
        ({"cluster": {"worker": []}}, "must have a list of addresses for 'worker', but"),
        ({"cluster": {"worker": ["a"]}}, "each 'worker' as host:port, but it has 'a'"),
        ({"cluster": {"worker": [1]}}, "each 'worker' as host:port, but it has 1"),
        ({"cluster": {"chief": ["a:1", "b:1"]}}, "at most one `chief`, but it names 2"),
        ({"cluster": TWO}, "must have a `task` with a type out of"),
        (task("evaluator", 0), "must have a `task` with a type out of"),
        (task("worker", 2), "with an index from 0 to 1 for 'worker', but the index is 2"),
        (task("worker", "0"), "with an index from 0 to 1 for 'worker', but the index is '0'"),
    ],
)
def test_a_malformed_tf_config(tf_config: Any, config: Any, message: str) -> None:
    tf_config(config)
    for read in (read_cluster, is_chief, lambda: strategy("multi_worker"), strategy):
        with pytest.raises(ValueError, match=message):
            read()


def test_single_is_no_distribution() -> None:
    assert strategy("single") is tf.distribute.get_strategy()
    assert not tf.distribute.has_strategy()


def test_auto_on_one_machine_without_gpus(tf_config: Any) -> None:
    if len(tf.config.list_physical_devices("GPU")) > 1:
        pytest.skip("there are several GPUs")
    assert strategy() is tf.distribute.get_strategy()
    tf_config(task("worker", 0, {"worker": ["a:1"]}))
    assert strategy("auto") is tf.distribute.get_strategy()


def test_mirrored_takes_every_device() -> None:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert strategy("mirrored").num_replicas_in_sync == len(devices)


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"must be one of auto, single, .*, but it is 'horovod'"):
        strategy("horovod")


def test_inside_of_another_scope() -> None:
    with strategy("mirrored").scope(), pytest.raises(ValueError, match="outside of another"):
        strategy("single")


def test_multi_worker_needs_tf_config(tf_config: Any) -> None:
    with pytest.raises(ValueError, match="needs the environment variable TF_CONFIG"):
        strategy("multi_worker")


@pytest.mark.parametrize("name", ["auto", "multi_worker"])
def test_multi_worker_too_late(tf_config: Any, name: str) -> None:
    tf.add(1, 1)
    tf_config(task("worker", 0))
    with pytest.raises(RuntimeError, match="before TensorFlow runs its first operation"):
        strategy(name)


def test_tpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)
    if tf.config.list_physical_devices("TPU"):
        pytest.skip("there is a TPU")
    with pytest.raises(ValueError, match="'tpu' needs a TPU, but none was found at 'local'"):
        strategy("tpu")
