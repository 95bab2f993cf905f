"""The export answers alike where kblocks is not: in a fresh process, and in C."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.export.saved_model import meta_graph

pytestmark = pytest.mark.slow  # other processes

TEXTS = {
    "translator": ["Click the button.", "", "Größe 日本 🙂", "press Enter, then choose a file"],
    "parser": ["the dog is sailing .", "", "Größe ( 日本 ) 🙂", "a b c d e f g h i j", "the"],
    "labeller": ["(2 (1 größer) (3 (film) (0 日本)))", "((a) (b", "", "(('s) ((MAX) (🙂)))", "(3)"],
}
OUTPUTS = {
    "translator": ["translation", "score", "alignment", "source_tokens", "translation_tokens"],
    "parser": ["tree", "score", "words"],
    "labeller": ["label", "tree", "node_labels", "node_words", "probabilities"],
}
TEXT_LIBRARIES = ["_sentencepiece_tokenizer.so", "_normalize_ops.so"]

FRESH = """
import json, sys
import numpy as np
import tensorflow as tf
import tensorflow_text
for path, texts in json.loads(sys.argv[1]):
    signature = tf.saved_model.load(path).signatures["serving_default"]
    outputs = signature(text=tf.constant(texts))
    outputs = {name: value.numpy() for name, value in outputs.items()}
    print(json.dumps({
        name: (np.char.decode(x.astype(bytes), "utf-8") if x.dtype == object else x).tolist()
        for name, x in outputs.items()
    }))
assert not any(name.split(".")[0] in ("kblocks", "keras_hub") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def exports(exported, exported_parser, exported_labeller):
    return {"translator": exported, "parser": exported_parser, "labeller": exported_labeller}


@pytest.fixture(scope="module")
def expected(translator, parser, labeller):
    found = {
        "translator": translator.translate(TEXTS["translator"]),
        "parser": parser.parse(TEXTS["parser"]),
        "labeller": labeller.label(TEXTS["labeller"]),
    }
    return {
        model: {name: value.numpy() for name, value in outputs.items()}
        for model, outputs in found.items()
    }


def test_the_sample_has_something_to_compare(expected):
    assert {model: list(outputs) for model, outputs in expected.items()} == OUTPUTS
    assert len({*expected["translator"]["translation"]}) == len(TEXTS["translator"])
    assert len({*expected["parser"]["tree"]}) == len(TEXTS["parser"]) - 1  # two are empty
    assert len({*expected["labeller"]["tree"]}) == len(TEXTS["labeller"]) - 1  # two are no trees
    assert len({*expected["labeller"]["node_labels"].ravel()}) > 2


def test_in_a_process_that_never_imports_kblocks(exports, expected, tmp_path):
    jobs = [[str(path), TEXTS[model]] for model, path in exports.items()]
    command = [sys.executable, "-P", "-c", FRESH, json.dumps(jobs)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for model, line in zip(exports, done.stdout.splitlines()[-len(exports) :], strict=True):
        outputs = json.loads(line)
        assert set(outputs) == set(OUTPUTS[model])
        for name, value in expected[model].items():
            if value.dtype == object:
                assert outputs[name] == np.char.decode(value.astype(bytes), "utf-8").tolist(), name
            else:
                np.testing.assert_allclose(outputs[name], value, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if (compiler := shutil.which("gcc")) is None:
        pytest.skip("gcc is not on PATH")
    if not sys.platform.startswith("linux"):
        pytest.skip("the names of TensorFlow's shared libraries are those of Linux")
    binary = tmp_path_factory.mktemp("c") / "predict"
    package = Path(tf.__file__).parent
    command = [compiler, "-Wall", "-Werror", f"-I{package / 'include'}", "-o", str(binary)]
    command += [str(Path(__file__).parent / "predict.c"), f"-L{package}", f"-Wl,-rpath,{package}"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    subprocess.run(command, check=True)
    return binary


@pytest.mark.parametrize("model", OUTPUTS)
def test_in_c(exports, expected, program, model):
    import tensorflow_text

    exported, names = exports[model], OUTPUTS[model]
    signature = meta_graph(exported).signature_def["serving_default"]
    libraries = Path(tensorflow_text.__file__).parent / "python" / "ops"
    arguments = [str(program), str(exported), "-i", signature.inputs["text"].name]
    for library in TEXT_LIBRARIES if model == "translator" else ():
        arguments += ["-l", str(libraries / library)]
    for name in names:
        arguments += ["-o", signature.outputs[name].name]
    done = subprocess.run(
        [*arguments, "--", *TEXTS[model]],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    for name, line in zip(names, lines, strict=True):
        value = _array(line)
        if value.dtype == object:
            assert value.tolist() == expected[model][name].tolist(), name
        else:
            np.testing.assert_allclose(value, expected[model][name], atol=1e-5, err_msg=name)


def _array(line):
    dtype, shape, *values = line.split()
    if int(dtype) == tf.string.as_datatype_enum:
        parsed = np.array([bytes.fromhex(value[1:]) for value in values], object)
    else:
        assert int(dtype) == tf.float32.as_datatype_enum
        parsed = np.array(values, "float32")
    return parsed.reshape([int(size) for size in shape.split(",")[:-1]])
