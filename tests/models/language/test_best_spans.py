"""The best span of a row, against all spans looked at one by one."""

import numpy as np
import pytest
from keras import ops

from kblocks.models import BertSpanClassifier
from tests.models.language.bert_samples import encoder


@pytest.mark.parametrize("max_length", [1, 2, 30])
def test_the_best_of_all_spans(max_length: int) -> None:
    model = BertSpanClassifier(encoder(pooler=False))
    model.build()
    rng = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    tokens = rng.integers(4, 9, (12, 7)).astype("int32")
    segments = np.array([[0, 0, 0, 1, 1, 1, 1]] * 12, "int32")
    tokens[8:, 5:], segments[8:, 5:] = 0, 0  # padding
    tokens[11, 4:], segments[11, 4:] = 0, 0  # nothing but [SEP]
    inputs = {"tokens": tokens, "segments": segments}
    logits = {name: ops.convert_to_numpy(x).astype("float64") for name, x in model(inputs).items()}
    found = ops.convert_to_numpy(model.best_spans(inputs, max_length))
    assert found.shape == (12, 4)
    for row in range(11):
        start, end = logits["start"][row], logits["end"][row]
        of_text = np.nonzero(segments[row])[0][:-1]  # the last is [SEP]
        spans = [(i, j) for i in of_text for j in of_text if i <= j < i + max_length]
        i, j = max(spans, key=lambda span: start[span[0]] + end[span[1]])
        assert found[row, :2].tolist() == [i, j]
        log_p = sum(x[k] - np.log(np.exp(x).sum()) for x, k in ((start, i), (end, j)))
        values = [start[i] + end[j] - start[0] - end[0], log_p]
        np.testing.assert_allclose(found[row, 2:], values, rtol=1e-4, atol=1e-5)
    assert len({tuple(row[:2]) for row in found[:11].tolist()}) > 1
    assert found[11, :2].tolist() == [0, 0]
    assert (found[11, 2:] < -1e29).all()
