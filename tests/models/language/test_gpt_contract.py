"""GPT and GPT-2 held to the block contract, each against its equations in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

from kblocks.models import GPT, GPT2
from tests.contract import check_layer
from tests.models.language.gpt_samples import TINY, TOKENS
from tests.reference.language import gpt, gpt2

NOT_OF_MODELS = {
    "shapes": "Keras traces a model's shapes; the saved files have them free",
    "policies": "logits are float32 in mixed policies: test_gpt.py",
}
KEY_BIASES = {
    f"decoder/{i}/self_attention/b_K": "the same for all scores of a softmax" for i in range(2)
}
LEFT_PADDED = np.array([[-1, 0, 6, 3, 8], [7, 1, 2, 5, 7]], "int32")


@pytest.mark.slow
@pytest.mark.parametrize(("model", "reference"), [(GPT, gpt), (GPT2, gpt2)], ids=["gpt", "gpt2"])
def test_gpt(model: type, reference: Callable) -> None:
    check_layer(
        model,
        TINY,
        TOKENS,
        reference,
        zero_gradients=KEY_BIASES,
        bad_inputs=[
            ({"inputs": TOKENS[0]}, "inputs"),
            ({"inputs": TOKENS[..., None]}, "inputs"),
            ({"inputs": np.tile(TOKENS, (1, 2))}, "inputs"),  # beyond the last position
            ({"inputs": LEFT_PADDED}, "inputs"),
        ],
        bad_arguments=[{"num_heads": 4}, {"end_token": 9}, {"end_token": -1}],
        skip=NOT_OF_MODELS,
    )
