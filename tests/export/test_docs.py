"""What the pages say of serving: the sample is the shipped export's, the form is the server's."""

import json
import re

import numpy as np
import pytest

from tools.serving_sample import EXPORT, PAGES, SAMPLE, SENTENCE, answer, as_json, decimal

# tensorflow_serving/util/json_tensor_test.cc, FromJsonSingleFloatTensorSixDigitPrecision.
DECIMALS = {
    9000000.0: "9e+06",
    999999.0: "999999.0",
    0.5: "0.5",
    0.0003: "0.0003",
    3e-05: "3e-05",
    555557.5: "555557.5",
    3.0: "3.0",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_sample_is_what_the_shipped_export_gives(page):
    if not EXPORT.exists():
        pytest.skip(f"{EXPORT.parent.name} is not there")
    [sample] = SAMPLE.finditer(page.read_text(encoding="utf-8"))
    written = json.loads(re.sub(r"```(json)?|<!--.*?-->", "", sample[0]))["predictions"]
    given = json.loads(answer(EXPORT, [SENTENCE]))["predictions"]
    assert len(written) == len(given) == 1
    for name, value in given[0].items():
        if name in ("score", "alignment"):  # other processors round otherwise
            np.testing.assert_allclose(written[0].pop(name), value, atol=1e-4)
        else:
            assert written[0].pop(name) == value, "run tools/serving_sample.py"
    assert not written[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_request_is_the_samples(page):
    assert f'{{"instances": ["{SENTENCE}"]}}' in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("value", DECIMALS)
def test_floats_as_the_server_writes_them(value):
    assert decimal(float(np.float32(value))) == DECIMALS[value]


def test_an_answer_in_the_servers_form():
    text = as_json({"b": [[0.5, 1.0], [2.0, 3.0]], "a": ["ä".encode(), b'"']})
    assert text == (
        '{\n    "predictions": [\n'
        '        {\n            "a": "ä",\n            "b": [0.5, 1.0]\n        },\n'
        '        {\n            "a": "\\"",\n            "b": [2.0, 3.0]\n        }\n'
        "    ]\n}"
    )
