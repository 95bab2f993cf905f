"""The tool that measures parsers without a network, on a treebank of six trees."""

import json
from pathlib import Path

import pytest

from tools.parse_baselines import main

TRAIN = """( (S (NP-SBJ (NNS Dogs)) (VP (VBP bark)) (. .)) )
( (S (NP-SBJ (NNS Cats)) (VP (VBP purr) (ADVP (RB softly))) (. .)) )
( (S (NP-SBJ (NNS Dogs)) (VP (VBP chase) (NP (NNS cats))) (. .)) )
( (NP (NNS Mice)) )
"""
DEV = """( (S (NP-SBJ (NNS Mice)) (VP (VBP chase) (NP (NNS cats))) (. .)) )
( (NP (NNS Dogs) (NNS cats)) )
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "train.mrg").write_text(TRAIN)
    (tmp_path / "bank" / "dev.mrg").write_text(DEV)
    return tmp_path


def test_results(folder: Path) -> None:
    main(["--data", str(folder / "bank"), "--results", str(folder / "results")])
    results = {p.stem: json.loads(p.read_text()) for p in (folder / "results").iterdir()}
    assert sorted(results) == [
        "bank-pcfg-100",
        "bank-pcfg-25",
        "bank-pcfg-50",
        "bank-right-branching",
    ]
    best = results["bank-pcfg-100"]
    assert best["recipe"] == "parsing"
    # The first has 4 brackets, all found; of NP -> NNS NNS there is no rule, so right-branching
    # says S instead of NP: F1 = 2 * 4 / (5 + 5).
    assert best["metrics"]["val_f1"] == pytest.approx(80.0)
    assert best["metrics"]["val_sentences_without_tree"] == 1
    assert best["metrics"]["val_complete"] == 50.0
    # S(0,3) and VP(1,3) are right, VP(2,3) and S(0,2) are not: F1 = 2 * 2 / (4 + 5).
    assert results["bank-right-branching"]["metrics"]["val_f1"] == pytest.approx(400 / 9)
    assert results["bank-right-branching"]["parameters"] == 0


def test_what_was_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(folder / "bank"), "--choose", "--results", str(folder / "results")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 + 6
    assert lines[0].startswith("right-branching, NP: ")
    assert lines[-1].startswith("horizontal 2, vertical 2: ")
    assert not (folder / "results").exists()
