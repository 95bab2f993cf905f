"""Settings as text become typed values, or an error that lists what there is."""

import dataclasses
from typing import Literal

import pytest

from kblocks.recipes.settings import SettingsError, parse_settings


@dataclasses.dataclass(frozen=True)
class Config:
    units: int = 256
    rate: float = 1e-3
    clip: float | None = 1.0
    score: Literal["dot", "general"] = "dot"
    bucket_ends: tuple[int, ...] = (10, 20)
    shuffle: bool = True
    data: str | None = None

    def __post_init__(self):
        if self.units < 1:
            raise ValueError(f"`units` must be at least 1, and is {self.units}.")


def test_nothing_set_is_the_default():
    assert parse_settings(Config, []) == Config()


def test_each_type():
    texts = [
        "units=512",
        "rate = 3e-4",
        "clip=None",
        "score=general",
        "bucket_ends=5, 15,40",
        "shuffle=false",
        "data=a=b.tsv",
    ]
    assert parse_settings(Config, texts) == Config(
        512, 3e-4, None, "general", (5, 15, 40), False, "a=b.tsv"
    )


def test_the_later_counts():
    assert parse_settings(Config, ["units=1", "units=2"]).units == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unit=3", "no setting 'unit'; its settings are: units, rate, clip, score, bucket_ends"),
        ("units", "reads key=value, not 'units'; its settings are: units, rate"),
        ("units=many", "'units' must be int, and is 'many'"),
        ("units=1.5", "'units' must be int, and is '1.5'"),
        ("clip=x", "'clip' must be float or none, and is 'x'"),
        ("score=cosine", "'score' must be one of dot, general, and is 'cosine'"),
        ("bucket_ends=1,,2", "'bucket_ends' must be a list of int, like 1,2,3, and is '1,,2'"),
        ("shuffle=1", "'shuffle' must be true or false, and is '1'"),
        ("units=0", "`units` must be at least 1, and is 0"),
    ],
)
def test_wrong_settings_are_told(text, message):
    with pytest.raises(SettingsError, match=message.replace("|", r"\|")):
        parse_settings(Config, [text])


def test_a_run_that_goes_on_may_be_told_again_what_it_was_begun_with():
    begun = {"units": 8, "bucket_ends": [5, 15]}
    again = parse_settings(Config, ["units=8", "bucket_ends=5,15"], begun)
    assert again.units == 8
    with pytest.raises(SettingsError, match="goes on with the 'bucket_ends' it was begun with"):
        parse_settings(Config, ["bucket_ends=5"], begun)
