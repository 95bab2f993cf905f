"""GPT and GPT-2: their sizes, their first weights, padding, precision, and what they show."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.models import GPT, GPT2
from kblocks.training import LabelledCrossentropy
from tests.contract.case import named_weights
from tests.models.language.gpt_samples import PADDED, TINY, TOKENS, made
from tests.reference import language as reference

both = pytest.mark.parametrize("model_class", [GPT, GPT2])
on_every_backend = pytest.mark.contract
numpy = ops.convert_to_numpy


def count(model: Any) -> int:
    """Embeddings; of each layer four projections, two products and two norms; the last norm."""
    d, inner = model.hidden_dim, model.intermediate_dim
    layer = 4 * (d * d + d) + 2 * d * inner + inner + d + 4 * d
    last = 0 if model.final_norm is None else 2 * d
    return (model.vocabulary_size + model.max_length) * d + model.num_layers * layer + last


@both
def test_a_built_model_has_as_many_weights_as_the_formula_says(model_class: type) -> None:
    for changes in ({}, {"layers": 3, "hidden_dim": 8, "intermediate_dim": None}):
        model = model_class(**{**TINY, **changes})
        model.build()
        assert model.count_params() == count(model)


@pytest.mark.parametrize(
    ("model_class", "size", "counted"),
    [
        (GPT, "base", 116_534_784),
        (GPT2, "small", 124_439_808),
        (GPT2, "medium", 354_823_168),
        (GPT2, "large", 774_030_080),
        (GPT2, "xl", 1_557_611_200),
    ],
)
def test_the_sizes_are_the_papers(model_class: type, size: str, counted: int) -> None:
    """Not built: the formula above counts what would be."""
    assert count(model_class.of_size(size)) == counted


def test_no_such_size() -> None:
    with pytest.raises(ValueError, match=r"`size` must be one of .*'xl'.* got 'base'"):
        GPT2.of_size("base")


def test_a_size_with_another_vocabulary_and_other_arguments() -> None:
    model = GPT2.of_size("medium", 100, max_length=32)
    assert (model.vocabulary_size, model.max_length, model.num_layers) == (100, 32, 24)


@both
def test_the_first_weights(model_class: type) -> None:
    """Projections onto the residual stream are smaller in GPT-2 alone, by the root of 2 layers."""
    sizes = {"layers": 8, "hidden_dim": 64, "intermediate_dim": 128, "num_heads": 4}
    model = model_class(**{**TINY, **sizes, "vocabulary_size": 100, "max_length": 100})
    model.build()
    for path, variable in named_weights(model).items():
        value, name = numpy(variable), path.rsplit("/", 1)[-1]
        if name in ("bias", "beta") or name.startswith("b_"):
            assert not value.any(), path
        elif name == "gamma":
            assert (value == 1).all(), path
        else:
            added = path.endswith(("W_O", "outer/kernel")) and model_class is GPT2
            expected = 0.02 / 4 if added else 0.02
            assert abs(value.std() / expected - 1) < 0.1, path
            assert abs(value.mean()) < 0.1 * expected, path


@both
def test_what_is_padded_changes_nothing_in_what_is_not(model_class: type) -> None:
    model = made(model_class)
    logits = numpy(model(PADDED))
    assert np.isfinite(logits).all()
    for row, ids in zip(logits, PADDED, strict=True):
        real = ids[ids >= 0]
        np.testing.assert_allclose(row[: len(real)], numpy(model(real[None]))[0], atol=1e-5)


def test_a_fit_leaves_padding_out() -> None:
    """The same step, whatever the padding; a step changes the loss."""
    losses = []
    for ids in (PADDED, np.pad(PADDED, [(0, 0), (0, 2)], constant_values=-1)):
        model = made(GPT2)
        labels = np.pad(ids[:, 1:], [(0, 0), (0, 1)], constant_values=-1)
        model.compile(keras.optimizers.SGD(0.1), LabelledCrossentropy(), jit_compile=False)
        losses.append(model.fit(ids, labels, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][1] < 0.9 * losses[0][0]


@both
@on_every_backend
def test_its_states_are_the_references_and_its_heads_see_no_later_position(
    model_class: type,
) -> None:
    model = made(model_class)
    weights = {path: numpy(v).astype("float64") for path, v in named_weights(model).items()}
    expected = reference.hidden_states(weights, TOKENS, **{**TINY, "norm": model.norm})
    states = numpy(model.hidden_states(TOKENS))
    np.testing.assert_allclose(states, np.stack(expected, axis=1), atol=1e-4)
    np.testing.assert_array_equal(numpy(model.features(TOKENS)), states[:, -1])
    heads = numpy(model.heads(TOKENS))
    assert heads.shape == (2, 2, 2, 5, 5)
    np.testing.assert_allclose(heads.sum(-1), 1, atol=1e-5)
    assert not np.triu(heads, 1).any()
    assert (np.tril(heads, 0) + np.triu(np.ones((5, 5)), 1) > 0).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@both
def test_policies(model_class: type, policy: str) -> None:
    model = made(model_class, dtype=policy)
    logits = model(TOKENS)
    stored = "float64" if policy == "float64" else "float32"
    assert keras.backend.standardize_dtype(logits.dtype) == stored
    assert {v.dtype for v in model.trainable_variables} == {stored}
    expected = numpy(made(model_class)(TOKENS))
    tolerance = {"mixed_float16": 1e-2, "mixed_bfloat16": 1e-1, "float64": 1e-5}[policy]
    assert np.abs(numpy(logits) - expected).max() < tolerance * np.abs(expected).max()
    assert np.isfinite(numpy(model.generate(TOKENS, 3, beam_width=2).scores)).all()
