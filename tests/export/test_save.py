"""Versions: next, never overwritten, whole or not at all; and what is in one."""

import contextlib
import fcntl
import os
import resource
import stat
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.export import Request, Servable, ServableModel, save
from kblocks.export.warm_up import MOST
from tests.export.saved_model import meta_graph, nodes

MODULE = sys.modules["kblocks.export.save"]  # the package has the function by this name


@pytest.fixture(scope="module")
def model():
    return keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="y")])


def test_the_translator_has_named_inputs_and_outputs(exported):
    signature = meta_graph(exported).signature_def["serving_default"]
    inputs = {name: (x.dtype, _shape(x)) for name, x in signature.inputs.items()}
    assert inputs == {"text": (tf.string, [-1])}
    outputs = {name: (x.dtype, _shape(x)) for name, x in signature.outputs.items()}
    assert outputs == {
        "translation": (tf.string, [-1]),
        "score": (tf.float32, [-1]),
        "alignment": (tf.float32, [-1, -1, -1]),
        "source_tokens": (tf.string, [-1, -1]),
        "translation_tokens": (tf.string, [-1, -1]),
    }


def _shape(info):
    return [axis.size for axis in info.tensor_shape.dim]


def test_versions_count_up_and_zeros_in_front_count_as_well(model, tmp_path):
    (tmp_path / "00000007").mkdir()
    (tmp_path / "9.bak").mkdir()
    (tmp_path / "²").mkdir()
    assert save(model, tmp_path) == tmp_path / "8"
    assert save(model, str(tmp_path), version=20) == tmp_path / "20"
    assert save(model, tmp_path).name == "21"


def test_a_version_is_never_overwritten(model, tmp_path):
    written = save(model, tmp_path / "m", version=3)
    before = _files(tmp_path)
    with pytest.raises(ValueError, match=r"`version` 3 is in .*; the next free one is 4\.$"):
        save(model, tmp_path / "m", version=3)
    assert _files(tmp_path) == before
    assert written.is_dir()


def _files(directory):
    return {path: path.is_file() and path.read_bytes() for path in directory.rglob("*")}


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True])
def test_a_version_is_a_positive_int(model, tmp_path, version):
    with pytest.raises(ValueError, match="`version` must be a positive int, got"):
        save(model, tmp_path / "m", version)
    assert not (tmp_path / "m").exists()


def test_a_file_is_no_directory(model, tmp_path):
    (tmp_path / "m").write_text("mine")
    with pytest.raises(ValueError, match=r"`directory` must be a directory, and .*m is a file"):
        save(model, tmp_path / "m")
    assert (tmp_path / "m").read_text() == "mine"


def test_a_full_disk_leaves_nothing(model, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # a write past it fails
    try:
        with pytest.raises(OSError, match=r"m: the export could not be written: .") as caught:
            save(model, tmp_path / "m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(str(caught.value).splitlines()) == 1
    assert not _files(tmp_path / "m")


def test_a_read_only_disk_leaves_nothing(model, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m").chmod(stat.S_IRUSR | stat.S_IXUSR)
    with _not_root(), pytest.raises(PermissionError):
        save(model, tmp_path / "m")
    assert not _files(tmp_path / "m")


@contextlib.contextmanager
def _not_root():
    """For root, no directory is read-only."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_export_leaves_nothing(model, tmp_path, monkeypatch, interrupt):
    def write(*_):
        raise interrupt

    monkeypatch.setattr(MODULE, "write_warm_up", write)
    with pytest.raises(interrupt):
        save(model, tmp_path)
    assert not _files(tmp_path)


def test_what_a_killed_export_left_is_removed_but_not_what_is_being_written(model, tmp_path):
    left, busy, mine = (tmp_path / f"{name}.tmp" for name in ("writing-1", "writing-2", "mine"))
    for directory in (left, busy, mine):
        directory.mkdir()
        (directory / "saved_model.pb").write_bytes(b"half")
    descriptor = os.open(busy, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert save(model, tmp_path).name == "1"
    finally:
        os.close(descriptor)
    assert {path.name for path in tmp_path.iterdir()} == {"1", "writing-2.tmp", "mine.tmp"}


def test_two_at_a_time_get_two_versions(model, tmp_path, monkeypatch):
    """The number is taken when the draft is complete, not when it is begun."""
    write = MODULE.write_warm_up

    def write_with_another_in_between(*arguments):
        monkeypatch.setattr(MODULE, "write_warm_up", write)
        assert save(model, tmp_path).name == "1"
        write(*arguments)

    monkeypatch.setattr(MODULE, "write_warm_up", write_with_another_in_between)
    assert save(model, tmp_path).name == "2"


def test_everybody_may_read_it(model, tmp_path):
    """A server runs as another user than whoever exports."""
    mask = os.umask(0o022)
    try:
        written = save(model, tmp_path)
    finally:
        os.umask(mask)
    for path in [written, *written.rglob("*")]:
        assert path.stat().st_mode & stat.S_IROTH, path


def test_training_stays_at_home(tmp_path):
    """A trained model has an optimizer with slots and a custom gradient; its export has neither."""

    @tf.custom_gradient
    def doubled(x):
        return 2 * x, lambda upstream: tf.math.sinh(upstream)

    inputs = keras.Input((100,), name="x")
    outputs = keras.layers.Dense(200, name="y")(keras.layers.Lambda(doubled)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    model.fit(np.ones((4, 100)), np.ones((4, 200)), verbose=0)
    written = save(model, tmp_path)

    names = [name for name, _ in tf.train.list_variables(str(written / "variables" / "variables"))]
    assert [name for name in names if "CHECKPOINTABLE" not in name] == [
        f"held_variables/{i}/.ATTRIBUTES/VARIABLE_VALUE" for i in range(2)
    ]
    weights = 4 * model.count_params()
    data = written / "variables" / "variables.data-00000-of-00001"
    assert weights <= data.stat().st_size < 1.1 * weights
    assert "Sinh" not in {node.op for node in nodes(meta_graph(written).graph_def)}


class Lookup(tf.Module):
    """A servable of a program's own, with a table."""

    def __init__(self, requests=None, dtype=tf.float32, plain=False):
        super().__init__(name="lookup")
        initializer = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.5, 2.5])
        self.table = tf.lookup.StaticHashTable(initializer, -1.0)
        self.unused = tf.Variable(tf.zeros([1000]))
        self.requests = requests or [Request("serving_default", {"key": ["a", "c"]})]
        self.dtype, self.plain = dtype, plain

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="key")])
    def look_up(self, key):
        value = tf.cast(self.table.lookup(key), self.dtype)
        return value if self.plain else {"value": value}

    def signatures(self):
        return {"serving_default": self.look_up, "again": self.look_up}

    def warmup_requests(self):
        return self.requests


def test_a_servable_brings_its_tables(tmp_path):
    assert isinstance(Lookup(), Servable)
    written = save(Lookup(), tmp_path)
    assert (written / "variables" / "variables.index").stat().st_size < 1000
    for name in ("serving_default", "again"):
        loaded = tf.saved_model.load(str(written))
        [value] = loaded.signatures[name](key=tf.constant(["b", "c"])).values()
        assert value.numpy().tolist() == [2.5, -1.0]


@pytest.mark.parametrize(
    ("servable", "message"),
    [
        (lambda: Lookup(dtype=tf.bfloat16), "cast 'value' from bfloat16 to float32"),
        (lambda: Lookup(plain=True), "'serving_default' must return a dict of tensors"),
        (
            lambda: Lookup([Request("serving_default", {"kee": ["a"]})]),
            r"with the inputs \['kee'\] must run, and fails: 'key'",
        ),
        (lambda: Lookup([Request("other", {"key": ["a"]})]), "names no signature of .*: 'other'"),
        (
            lambda: Lookup([Request("serving_default", {"key": ["a"]})] * (MOST + 1)),
            "at most 1000 warm-up requests, got 1001",
        ),
        (lambda: "model.keras", "`model` must be a Servable or a Keras model, got 'model.keras'"),
        (lambda: _Subclassed(), r"make it functional: keras\.Model\(inputs, model\(inputs\)\)"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(servable, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        save(servable(), tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert not _files(tmp_path)


class _Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def test_examples_of_ones_own_warm_up(model, tmp_path):
    servable = ServableModel(model, examples=[{"x": np.ones((5, 3), "float32")}])
    [record] = _records(save(servable, tmp_path))
    assert np.ones((5, 3), "float32").tobytes() in record


def _records(export):
    path = export / "assets.extra" / "tf_serving_warmup_requests"
    return [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
