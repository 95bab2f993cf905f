"""Two logical CPUs, quiet logs, a fresh seed for every test, and the contract's fresh processes."""

import importlib.util
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from collections.abc import Iterator

import keras
import pytest

from tests import contract
from tests.contract import gathering

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Before anything touches the devices: building a Keras LSTM would already be too late.
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="of the block contract, only what runs eagerly"
    )


def pytest_configure(config: pytest.Config) -> None:
    contract.quick = config.option.quick


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests that call `check_layer`; parity tests run only where `-m` asks for them.

    The example of an extra is skipped where the extra is absent.
    """
    extras = {
        "kblocks.data.superpixels.superpixels": ("skimage", "scikit-image, the extra `images`"),
        "kblocks.text.byte_bpe.ByteBPE": ("tokenizers", "tokenizers, the extra `pretrained`"),
    }
    absent = {
        example: f"needs {extra}"
        for example, (module, extra) in extras.items()
        if importlib.util.find_spec(module) is None
    }
    for item in items:
        code = getattr(getattr(item, "function", None), "__code__", None)
        if code is not None and "check_layer" in code.co_names:
            item.add_marker("contract")
        if item.name in absent:
            item.add_marker(pytest.mark.skip(reason=absent[item.name]))
    if not config.option.markexpr:
        unasked = [item for item in items if item.get_closest_marker("parity")]
        config.hook.pytest_deselected(items=unasked)
        items[:] = [item for item in items if item not in unasked]


@pytest.fixture(autouse=True)
def _fresh_seed() -> Iterator[None]:
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session", autouse=True)
def fresh_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """After the worker's last test, loads what `check_layer` saved in one process per kind.

    A failure here is an error of the last test's teardown, so the run fails; the message names
    the layers.
    """
    gathering.start(tmp_path_factory.mktemp("gathered"))
    yield
    gathering.finish()
