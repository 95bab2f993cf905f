"""The layers against torch's and keras-hub's, with their weights."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from kblocks import layers
from tests.layers.transformer.samples import mask, memory_mask, sequence

pytestmark = pytest.mark.parity

EPSILON = 1e-5
KINDS = list(itertools.product(["post", "pre"], ["relu", "gelu"]))


def assert_same(ours: Any, theirs: Any, valid: np.ndarray) -> None:
    """Where something is padded, the peers may give what they like."""
    ours = keras.ops.convert_to_numpy(ours)
    np.testing.assert_allclose(ours[valid], np.asarray(theirs)[valid], rtol=1e-4, atol=1e-5)


def ours(layer_class: Any, norm: str, activation: str, **arguments: Any) -> Any:
    return layer_class(
        2, 7, norm=norm, activation=activation, dropout=0.0, epsilon=EPSILON, **arguments
    )


def torch_attention(theirs: Any, heads: int) -> list[np.ndarray]:
    """Torch's matrices, from the right and one below the other, as ours: kernel, bias of each."""
    weights = []
    kernels = np.split(theirs.in_proj_weight.detach().numpy(), 3)
    biases = np.split(theirs.in_proj_bias.detach().numpy(), 3)
    for kernel, bias in zip(kernels, biases, strict=True):
        width = len(bias)
        weights += [kernel.T.reshape(width, heads, -1), bias.reshape(heads, -1)]
    kernel = theirs.out_proj.weight.detach().numpy().T
    return [*weights, kernel.reshape(heads, -1, len(kernel)), theirs.out_proj.bias.detach().numpy()]


def torch_weights(theirs: Any, layer: Any) -> None:
    """Give `layer` the weights of torch's."""

    def array(parameter: Any) -> np.ndarray:
        return parameter.detach().numpy()

    layer.self_attention.set_weights(torch_attention(theirs.self_attn, layer.num_heads))
    norms = [layer.self_attention_norm]
    if hasattr(theirs, "multihead_attn"):
        layer.cross_attention.set_weights(torch_attention(theirs.multihead_attn, layer.num_heads))
        norms.append(layer.cross_attention_norm)
    norms.append(layer.feed_forward_norm)
    for number, norm in enumerate(norms, start=1):
        their_norm = getattr(theirs, f"norm{number}")
        norm.set_weights([array(their_norm.weight), array(their_norm.bias)])
    for dense, linear in (
        (layer.feed_forward.inner, theirs.linear1),
        (layer.feed_forward.outer, theirs.linear2),
    ):
        dense.set_weights([array(linear.weight).T, array(linear.bias)])


def torch_layer(torch: Any, kind: str, norm: str, activation: str) -> Any:
    torch.manual_seed(3)
    layer = getattr(torch.nn, kind)(
        6, 2, 7, 0.0, activation, EPSILON, batch_first=True, norm_first=norm == "pre"
    )
    with torch.no_grad():
        for parameter in layer.parameters():  # no bias zero, no scale one
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return layer


@pytest.mark.parametrize(("norm", "activation"), KINDS)
def test_encoder_layer_equals_torch(norm: str, activation: str) -> None:
    torch = pytest.importorskip("torch")
    x, valid = sequence(), mask()
    theirs = torch_layer(torch, "TransformerEncoderLayer", norm, activation)
    for causal in (False, True):
        layer = ours(layers.TransformerEncoderLayer, norm, activation, causal=causal)
        layer.build(x.shape)
        torch_weights(theirs, layer)
        future = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
        expected = theirs(
            torch.tensor(x), src_mask=future, src_key_padding_mask=torch.tensor(~valid)
        )
        assert_same(layer(x, mask=keras.ops.array(valid)), expected.detach(), valid)


@pytest.mark.parametrize(("norm", "activation"), KINDS)
def test_decoder_layer_equals_torch(norm: str, activation: str) -> None:
    torch = pytest.importorskip("torch")
    x, encoded, valid, source = sequence(), sequence(time=4, seed=9), mask(), memory_mask()
    theirs = torch_layer(torch, "TransformerDecoderLayer", norm, activation)
    layer = ours(layers.TransformerDecoderLayer, norm, activation)
    layer.build(x.shape, encoded.shape)
    torch_weights(theirs, layer)
    expected = theirs(
        torch.tensor(x),
        torch.tensor(encoded),
        tgt_mask=torch.ones(5, 5, dtype=torch.bool).triu(1),
        tgt_key_padding_mask=torch.tensor(~valid),
        memory_key_padding_mask=torch.tensor(~source),
    )
    masks = {"inputs_mask": keras.ops.array(valid), "memory_mask": keras.ops.array(source)}
    assert_same(layer(x, encoded, **masks), expected.detach(), valid)


def keras_hub_weights(theirs: Any, layer: Any) -> None:
    """Draw weights for keras-hub's layer, and give them to `layer`."""
    rng = np.random.default_rng(4)
    theirs.set_weights([w + 0.2 * rng.normal(size=w.shape) for w in theirs.get_weights()])
    pairs = {
        "self_attention": "self_attention_layer",
        "self_attention_norm": "self_attention_layer_norm",
        "cross_attention": "cross_attention_layer",
        "cross_attention_norm": "cross_attention_layer_norm",
        "feed_forward_norm": "feedforward_layer_norm",
    }
    for name, their_name in pairs.items():
        if hasattr(layer, name):
            their_part = getattr(theirs, f"_{their_name}")
            getattr(layer, name).set_weights(their_part.get_weights())
    layer.feed_forward.inner.set_weights(theirs._feedforward_intermediate_dense.get_weights())
    layer.feed_forward.outer.set_weights(theirs._feedforward_output_dense.get_weights())


@pytest.mark.parametrize(("norm", "activation"), KINDS)
def test_layers_equal_keras_hub(norm: str, activation: str) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    x, encoded, valid, source = sequence(), sequence(time=4, seed=9), mask(), memory_mask()
    arguments = {"activation": activation, "normalize_first": norm == "pre"}
    theirs = keras_hub.layers.TransformerEncoder(7, 2, layer_norm_epsilon=EPSILON, **arguments)
    theirs.build(x.shape)
    layer = ours(layers.TransformerEncoderLayer, norm, activation)
    layer.build(x.shape)
    keras_hub_weights(theirs, layer)
    padding = keras.ops.array(valid)
    assert_same(layer(x, mask=padding), theirs(x, padding_mask=padding), valid)

    theirs = keras_hub.layers.TransformerDecoder(7, 2, layer_norm_epsilon=EPSILON, **arguments)
    theirs.build(x.shape, encoded.shape)
    layer = ours(layers.TransformerDecoderLayer, norm, activation)
    layer.build(x.shape, encoded.shape)
    keras_hub_weights(theirs, layer)
    memory_padding = keras.ops.array(source)
    expected = theirs(
        x,
        encoded,
        decoder_padding_mask=padding,
        encoder_padding_mask=memory_padding,
    )
    actual = layer(x, encoded, inputs_mask=padding, memory_mask=memory_padding)
    assert_same(actual, expected, valid)
