"""Every op of an export is one that TensorFlow Serving has."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2

from tests.export.saved_model import meta_graph, nodes

pytestmark = pytest.mark.slow

# TensorFlow Serving links `tensorflow/core:tensorflow` (every op of TensorFlow's own library) and,
# by SUPPORTED_TENSORFLOW_OPS in tensorflow_serving/model_servers/BUILD, TF Text's
# `tensorflow_text:ops_lib`, whose parts are listed in tensorflow_text/BUILD. These are its ops, by
# source file in tensorflow_text/core/ops. Not among them: the trimmer and the UTF-8 binarize ops
# and what came with them, which the TF Text 2.12 of TensorFlow Serving 2.17 to 2.19 lacks or
# leaves out.
TEXT_OPS = {
    "constrained_sequence_op.cc": {"ConstrainedSequence"},
    "fast_bert_normalizer_op.cc": {"FastBertNormalize"},
    "fast_wordpiece_tokenizer_op.cc": {
        "FastWordpieceTokenizeWithOffsets",
        "TFText>FastWordpieceDetokenize",
    },
    "normalize_ops.cc": {
        "CaseFoldUTF8",
        "NormalizeUTF8",
        "NormalizeUTF8WithOffsetsMap",
        "FindSourceOffsets",
    },
    "regex_split_ops.cc": {"RegexSplitWithOffsets"},
    "sentence_breaking_ops.cc": {"SentenceFragments"},
    "sentencepiece_ops.cc": {
        "SentencepieceOp",
        "SentencepieceTokenizeOp",
        "SentencepieceTokenizeWithOffsetsOp",
        "SentencepieceDetokenizeOp",
        "SentencepieceIdToStringOp",
        "SentencepieceStringToIdOp",
        "SentencepieceVocabSizeOp",
    },
    "unicode_script_tokenizer_op.cc": {"UnicodeScriptTokenizeWithOffsets"},
    "whitespace_tokenizer_op.cc": {"WhitespaceTokenizeWithOffsets"},
    "wordpiece_op.cc": {"WordpieceTokenizeWithOffsets"},
}

# Registered in TensorFlow's library, but their kernels run Python.
PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}

CORE = """
import ctypes, sys
class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p)]
library = ctypes.CDLL(sys.argv[1])
library.TF_GetAllOpList.restype = ctypes.POINTER(Buffer)
ops = library.TF_GetAllOpList().contents
sys.stdout.buffer.write(ctypes.string_at(ops.data, ops.length))
"""


@pytest.fixture(scope="module")
def core_ops():
    """The ops of TensorFlow's shared library, in a process that has loaded nothing else."""
    [library] = Path(tf.__file__).parent.glob("libtensorflow_cc*.*2*")
    done = subprocess.run(
        [sys.executable, "-P", "-c", CORE, str(library)], capture_output=True, check=True
    )
    return {op.name for op in op_def_pb2.OpList.FromString(done.stdout).op}


def test_the_core_ops_are_the_cores(core_ops):
    assert {"MatMul", "While", "VarHandleOp", *PYTHON_OPS} <= core_ops
    assert not core_ops & set().union(*TEXT_OPS.values())


def test_all_ops_are_served(exported, core_ops):
    text_ops = set().union(*TEXT_OPS.values())
    used = {node.op for node in nodes(meta_graph(exported).graph_def)}
    functions = {f.signature.name for f in meta_graph(exported).graph_def.library.function}
    assert used - functions <= (core_ops - PYTHON_OPS) | text_ops
    assert used & text_ops == {
        "NormalizeUTF8",
        "SentencepieceOp",
        "SentencepieceTokenizeOp",
        "SentencepieceDetokenizeOp",
        "SentencepieceIdToStringOp",
    }


@pytest.mark.parametrize("name", ["exported_labeller", "exported_parser"])
def test_all_ops_without_subwords_are_tensorflows(name, request, core_ops):
    graph = meta_graph(request.getfixturevalue(name)).graph_def
    functions = {f.signature.name for f in graph.library.function}
    assert {node.op for node in nodes(graph)} - functions <= core_ops - PYTHON_OPS


def test_a_python_op_would_be_found(core_ops, tmp_path):
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def call(self, x):
            return {"y": tf.numpy_function(lambda x: x, [x], tf.float32)}

    module = Module()
    tf.saved_model.save(module, tmp_path / "1", {"serving_default": module.call})
    used = {node.op for node in nodes(meta_graph(tmp_path / "1").graph_def)}
    assert used & PYTHON_OPS


@pytest.mark.parametrize("name", ["exported", "exported_labeller", "exported_parser"])
def test_resources_are_those_of_the_graph(name, request):
    """Each table is made by the graph itself: nothing is looked up that a session lacks."""
    graph = meta_graph(request.getfixturevalue(name))
    made = {"VarHandleOp", "SentencepieceOp", "HashTableV2", "Placeholder"}
    resources = [node for node in graph.graph_def.node if node.attr["dtype"].type == 20]
    assert {node.op for node in resources} <= made
    fed = [node.name for node in graph.graph_def.node if node.op == "Placeholder"]
    assert set(fed) == {"serving_default_text", "saver_filename"}
