"""The recipe `translation`: what it draws of a Transformer; the rest is in tests/test_cli.py."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from kblocks.data import libreoffice_help
from kblocks.recipes import head_pictures
from kblocks.recipes.translation import Translation, TranslationConfig

pytestmark = pytest.mark.slow

KINDS = ("heads", "head")  # all of them, and one


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The recipe, its settings, parts and model; nothing is trained."""
    folder = tmp_path_factory.mktemp("pairs")
    splits = libreoffice_help(max_words=8)
    lines = [f"{s}\t{t}\n" for s, t in splits.train[:300] + splits.validation[:30]]
    (folder / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
    config = TranslationConfig(
        data=str(folder / "pairs.tsv"),
        model="transformer",
        vocabulary=400,
        max_length=12,
        beam=2,
    )
    recipe = Translation()
    parts = recipe.learn_parts(config, recipe.read(config))
    return recipe, config, parts, recipe.make_model(config, parts)


def test_a_transformer_shows_all_its_heads(trained, tmp_path, monkeypatch):
    drawn = {}
    for name in ("plot_heads", "plot_head_lines", "plot_head_statistics"):

        def keep(*given, name=name, path, **options):
            drawn[name] = [*drawn.get(name, []), (*given, options)]
            Figure().savefig(path)

        monkeypatch.setattr(head_pictures, name, keep)
    pictures = trained[0].pictures(*trained[1:], tmp_path)
    names = [f"{kind}_{name}.png" for name in ("encoder", "decoder", "cross") for kind in KINDS]
    assert [path.name for path in pictures] == ["attention.png", *names, "head_statistics.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)

    [encoder, decoder, cross] = drawn["plot_heads"]
    source, produced = cross[1], cross[2]
    assert encoder[1] == encoder[2] == source
    assert source[-1] == "</s>"
    assert decoder[1] == decoder[2] == ["<s>", *produced[:-1]]
    for weights, looked_at, looking, _ in (encoder, decoder, cross):
        assert weights.shape == (4, 4, len(looking), len(looked_at))
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    for one, (weights, *_) in zip(drawn["plot_head_lines"], drawn["plot_heads"], strict=True):
        assert (weights == one[0]).all(axis=(2, 3)).sum() == 1
        entropy = -(weights * np.log2(weights, where=weights > 0, out=0 * weights)).sum(-1).mean(-1)
        found = np.argwhere((weights == one[0]).all(axis=(2, 3)))[0]
        assert entropy[tuple(found)] == entropy.min()
    [(statistics, _)] = drawn["plot_head_statistics"]
    assert set(statistics) == {"encoder", "decoder", "cross"}
    assert statistics["decoder"].entropy.shape == (4, 4)
