"""``swipewise.toml``: its defaults, its template, and what is said about a mistake in it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from swipewise.config import Config, ModelConfig, RuleConfig, TrainingConfig, template
from swipewise.errors import ConfigError
from swipewise.model.fusion import ADAPTERS, NORMS
from swipewise.model.interest import Parts

SECTIONS = [field.name for field in fields(Config)]


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "swipewise.toml"
    path.write_text(text, encoding="utf-8")
    return Config.load(path)


def complaint(tmp_path: Path, text: str) -> str:
    """The error about a text, without the folder of the file."""
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    return str(raised.value).removeprefix(f"{tmp_path}/")


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Config()


def test_what_is_given_is_taken_and_the_rest_keeps_its_default(tmp_path: Path) -> None:
    config = load(
        tmp_path, 'feed.size = 5\n[events]\npositive = ["like"]\npositive_watch_ratio = 1\n[server]\nport = 0\n'
    )
    default = Config()
    assert config == replace(
        default,
        feed=replace(default.feed, size=5),
        events=replace(default.events, positive=("like",), positive_watch_ratio=1.0),
        server=replace(default.server, port=0),
    )
    assert type(config.events.positive_watch_ratio) is float


def uncommented() -> str:
    """The template with every key set to the default it shows."""
    lines = template().splitlines()
    assigned = {f"# {key} = " for section in SECTIONS for key in asdict(Config())[section]}
    return "\n".join(line[2:] if any(line.startswith(start) for start in assigned) else line for line in lines)


def test_the_template_means_the_defaults_as_it_is_and_with_every_key_set(tmp_path: Path) -> None:
    assert load(tmp_path, template()) == Config()
    assert load(tmp_path, uncommented()) == Config()
    written = {section: list(table) for section, table in tomllib.loads(uncommented()).items()}
    assert written == {section: list(table) for section, table in asdict(Config()).items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_template_says_above_every_key_what_it_means(section: str) -> None:
    block = template().partition(f"[{section}]\n")[2].partition("\n\n")[0].splitlines()
    keys = fields(type(getattr(Config(), section)))
    assert block[0::2] == [f"# {key.metadata['help']}" for key in keys]
    assert [line.split(" = ")[0] for line in block[1::2]] == [f"# {key.name}" for key in keys]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n[fed]\nsize = 3", "swipewise.toml:2: unknown section [fed]: did you mean 'feed'?"),
        ("qwzx = 1", f"swipewise.toml:1: unknown section [qwzx]: valid are {', '.join(SECTIONS)}"),
        ("\nfeed = 3", "swipewise.toml:2: feed is a section: write [feed] on a line of its own"),
        ("executor = 'ray'", "swipewise.toml:1: executor is a key: write it below [ingest] or [training]"),
        ("\ndevice = 'cpu'", "swipewise.toml:2: device is a key: write it below [encoders] or [training]"),
        ("\n[[feed]]\nsize = 3", "swipewise.toml:2: feed is a section: write [feed] on a line of its own"),
        ("[feed]\n\nsiz = 3", "swipewise.toml:3: unknown key 'siz' in [feed]: did you mean 'size'?"),
        (
            "[ingest]\nqq = 3",
            "swipewise.toml:2: unknown key 'qq' in [ingest]: valid are executor, workers, decoders, ray_address, "
            "ray_gpus, batch, duplicates, roots, http, max_bytes, fetch_seconds, attempts, lease_seconds",
        ),
        ("\n\nfeed.siz = 3", "swipewise.toml:3: unknown key 'siz' in [feed]: did you mean 'size'?"),
        ("\nfeed = {siz = 3}", "swipewise.toml:2: unknown key 'siz' in [feed]: did you mean 'size'?"),
        ("\n[feed.siz]\nx = 3", "swipewise.toml:2: unknown key 'siz' in [feed]: did you mean 'size'?"),
    ],
)
def test_an_unknown_name_is_placed_and_the_nearest_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("feed.size = 2.5", "feed.size must be a whole number, not 2.5"),
        ("feed.size = true", "feed.size must be a whole number, not True"),
        ("feed.diversity = 'much'", "feed.diversity must be a number, not 'much'"),
        ("server.keys = 'on'", "server.keys names 'on': valid are off, required"),
        ("server.tls_key = 'k.pem'", "server.tls_key is of no use without server.tls_cert"),
        ("server.origins = ['app.example']", "server.origins names 'app.example': write scheme, host and port"),
        ("server.origins = ['https://a.example/']", "server.origins names 'https://a.example/': write scheme"),
        ("server.origins = ['*']", "server.origins must name the pages where server.keys is off"),
        ("server.host = 1", "server.host must be a string in quotes, not 1"),
        ("events.positive = 'like'", "events.positive must be a list of strings, not 'like'"),
        ("events.positive = [1]", "events.positive must be a list of strings, not [1]"),
        ("feed.size = 0", "feed.size must be between 1 and 1000, not 0"),
        ("feed.size = 1001", "feed.size must be between 1 and 1000, not 1001"),
        ("feed.retrieve = 0", "feed.retrieve must be at least 1, not 0"),
        ("feed.diversity = -0.1", "feed.diversity must be between 0 and 1, not -0.1"),
        ("feed.diversity = nan", "feed.diversity must be a finite number, not nan"),
        ("training.learning_rate = inf", "training.learning_rate must be a finite number, not inf"),
        ("model.modalities = []", "model.modalities must name at least one of visual, text, audio,"),
        ("model.modalities = ['sound']", "model.modalities names 'sound': valid are visual, text, audio, attri"),
        ("model.modalities = ['visuals']", "model.modalities names 'visuals': did you mean 'visual'?"),
        ("model.modalities = ['id', 'id']", "model.modalities names 'id' more than once"),
        ("model.adapter = 'gate'", "model.adapter names 'gate': did you mean 'gated'?"),
        ("model.norm = 'batch'", "model.norm names 'batch': valid are layer, rms, adaptive, none"),
        ("model.without = ['sequences']", "model.without names 'sequences': did you mean 'sequence'?"),
        ("events.positive = ['likes']", "events.positive names 'likes': did you mean 'like'?"),
        ("events.positive = ['zap']", "events.positive names 'zap': valid are finish, like, comment, share,"),
        (
            "media.max_memory_mb = 64",
            "media.max_memory_mb must be 0 or at least 256, as libraries take some for themselves, not 64",
        ),
        ("media.sampling = 'shot'", "media.sampling names 'shot': did you mean 'shots'?"),
        ("encoders.visual = 'descripter'", "encoders.visual names an unknown encoder 'descripter': did you mean"),
        ("encoders.audio = 'minilm'", "encoders.audio names an unknown encoder 'minilm': valid are descriptor, d"),
        ("encoders.text = 'mini-lm'", "encoders.text names an unknown encoder 'mini-lm': did you mean 'minilm'?"),
        ("encoders.speech = 'whisper'", "encoders.speech names an unknown encoder 'whisper': valid are huggingfa"),
        (
            "encoders.screen = 'rapid'",
            "encoders.screen names an unknown encoder 'rapid': did you mean 'rapidocr'?",
        ),
        ("ingest.executor = 'process'", "ingest.executor names 'process': did you mean 'processes'?"),
        ("ingest.executor = 'dask'", "ingest.executor names 'dask': valid are processes, inline, ray"),
        ("training.device = 'gpu'", "training.device names 'gpu': did you mean 'cpu'?"),
        ("model.heads = 7", "model.heads = 7 must divide model.width = "),
    ],
)
def test_a_wrong_value_is_placed_quoted_and_what_is_valid_is_named(
    tmp_path: Path, line: str, expected: str
) -> None:
    section, _, assignment = line.partition(".")
    for text in (f"\n\n{line}\n", f"\n[{section}]\n{assignment}\n"):
        assert complaint(tmp_path, text).startswith(f"swipewise.toml:3: {expected}")


def test_a_record_tells_neither_who_trains_nor_where_the_live_log_lies() -> None:
    changed = Config(training=TrainingConfig(executor="ray", workers=8, ray_address="ray://head:1", ray_gpus=1.0))
    changed = replace(changed, events=replace(changed.events, database="postgresql://user:secret@host/name"))
    assert changed.as_record() == Config().as_record()


def test_the_model_keys_may_name_what_the_network_knows() -> None:
    names = {key.name: key.metadata["names"] for key in fields(ModelConfig)}
    assert {name: set(known) for name, known in names.items() if known is not None} == {
        "adapter": set(ADAPTERS),
        "norm": set(NORMS),
        "without": set(Parts.__slots__),
    }


def test_limits_are_inclusive(tmp_path: Path) -> None:
    assert load(tmp_path, "[feed]\nsize = 1000\ndiversity = 1\n").feed.diversity == 1.0
    assert load(tmp_path, "[feed]\nsize = 1\ndiversity = 0\n").feed.size == 1


def test_a_fault_between_two_keys_is_placed_at_the_section_when_the_named_one_is_not_written(
    tmp_path: Path,
) -> None:
    heads = Config().model.heads
    told = complaint(tmp_path, f"\n[model]\nwidth = {64 * heads + 1}\n")
    assert told == f"swipewise.toml:2: model.heads = {heads} must divide model.width = {64 * heads + 1}"


def test_neither_comments_nor_other_sections_are_taken_for_the_place(tmp_path: Path) -> None:
    text = '[server]\nport = 1\n# [feed]\n# size = 0\n[ "feed" ]\n# size = 0\n"size" = 0\n'
    assert complaint(tmp_path, text).startswith("swipewise.toml:7: feed.size")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[feed\n", r"at line 1, column 6"),
        (b"\xff", "is not UTF-8 text: save it as UTF-8"),
        (b"a = 1\na = 2\n", "at line 2"),
    ],
)
def test_a_file_that_is_no_toml_says_where(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "swipewise.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"swipewise\.toml.*{reason}"):
        Config.load(path)


def test_the_mark_that_some_editors_put_at_the_beginning_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "swipewise.toml"
    path.write_bytes(b"\xef\xbb\xbf[model]\r\nwidth = 32\r\n")
    assert Config.load(path).model.width == 32


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.toml: .*No such file"):
        Config.load(tmp_path / "nope.toml")


def test_encoders_may_be_left_out_or_be_any_published_model(tmp_path: Path) -> None:
    text = "[encoders]\nvisual = 'none'\naudio = 'huggingface:a/b@c'\nspeech = 'huggingface:openai/whisper-tiny'\n"
    assert load(tmp_path, text).encoders.speech == "huggingface:openai/whisper-tiny"
    assert complaint(tmp_path, f"[encoders]\nvisual = '{tmp_path}'\n") == (
        f"swipewise.toml:2: encoders.visual names an unknown encoder '{tmp_path}': "
        f"did you mean 'huggingface:{tmp_path}'?"
    )


RULES = """
[feed]
size = 5

[[feed.rules]]
reason = "no beer for the young"
block = { tags = ["Beer", "wine"], languages = "en" }
when = { age = [12, 13], member = true }

[[feed.rules]]
reason = "kids' television"
require.creators = ["ann"]
when.device = "TV"
unless = { region = ["us"] }
"""


def test_rules_are_read(tmp_path: Path) -> None:
    config = load(tmp_path, RULES)
    assert config.feed.size == 5
    assert config.feed.rules == (
        RuleConfig(
            reason="no beer for the young",
            block={"tags": ("beer", "wine"), "languages": ("en",)},
            when={"age": ("12", "13"), "member": ("true",)},
        ),
        RuleConfig(
            reason="kids' television",
            require={"creators": ("ann",)},
            when={"device": ("tv",)},
            unless={"region": ("us",)},
        ),
    )
    assert json.loads(json.dumps(config.as_record()))["feed"]["rules"][0]["when"]["age"] == ["12", "13"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('blok = { tags = ["a"] }', "has an unknown key 'blok': did you mean 'block'?"),
        ('reason = ""\nblock = { tags = ["a"] }', "needs a reason, which is said of what it leaves out, not ''"),
        ('reason = "r"', "needs block or require, one of the two"),
        ('reason = "r"\nblock = {tags="a"}\nrequire = {tags="b"}', "needs block or require, one of the two"),
        ('reason = "r"\nblock = { tag = "a" }', ".block names 'tag': did you mean 'tags'?"),
        ('reason = "r"\nblock = {}', ".block must name at least one of tags, creators, languages, videos"),
        ('reason = "r"\nblock = "beer"', ".block must be a table, such as { region = [\"us\"] }, not 'beer'"),
        (
            'reason = "r"\nblock = { tags = [] }',
            ".block.tags must be a text, number, true or false, or a list of the",
        ),
        (
            'reason = "r"\nblock = { tags = [["a"]] }',
            ".block.tags must be a text, number, true or false, or a list",
        ),
    ],
)
def test_a_wrong_rule_is_placed(tmp_path: Path, rule: str, expected: str) -> None:
    told = complaint(tmp_path, f"{RULES}\n[[feed.rules]]\n{rule}\n")
    line = RULES.count("\n") + 2
    name = "feed.rules[2]"
    assert told.startswith(f"swipewise.toml:{line}: {name}{'' if expected.startswith('.') else ' '}{expected}")


def test_rules_that_are_no_tables(tmp_path: Path) -> None:
    assert complaint(tmp_path, "\n[feed]\nrules = ['a']\n") == (
        "swipewise.toml:3: feed.rules are tables: write each below [[feed.rules]], not ['a']"
    )
    assert complaint(tmp_path, "\n[feed]\nrules = [{reason = 'r'}]\n") == (
        "swipewise.toml:3: feed.rules[0] needs block or require, one of the two"
    )
