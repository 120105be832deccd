import subprocess
import sys
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from swipewise.catalog.table import Table
from swipewise.errors import StoreError

SCHEMA = pa.schema([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.int64())])


def rows(**values: int) -> pa.Table:
    return pa.table({"key": list(values), "value": list(values.values())}, SCHEMA)


def content(table: Table) -> dict[str, Any]:
    found = table.open().to_table()
    return dict(zip(found["key"].to_pylist(), found["value"].to_pylist(), strict=True))


def make(path: Path, *migrations: Any, schema: pa.Schema = SCHEMA) -> Table:
    return Table(path / "t.lance", key="key", schema=schema, migrations=migrations)


def test_many_small_commits_are_compacted_on_the_way(tmp_path: Path) -> None:
    table = make(tmp_path)
    for number in range(80):
        table.upsert(rows(**{f"k{number}": number, "same": number}))
    assert content(table) == {f"k{n}": n for n in range(80)} | {"same": 79}
    assert len(table.open().get_fragments()) <= 33


def test_an_update_changes_the_columns_given_of_rows_that_are_there(tmp_path: Path) -> None:
    wide = SCHEMA.append(pa.field("kept", pa.string()))
    table = make(tmp_path, schema=wide)
    table.update(rows(a=1))
    assert table.open() is None
    table.upsert(pa.table({"key": ["a", "b"], "value": [1, 2], "kept": ["x", "y"]}, wide))
    table.update(rows(b=3, c=4))
    assert sorted(table.open().to_table().to_pylist(), key=lambda row: row["key"]) == [
        {"key": "a", "value": 1, "kept": "x"},
        {"key": "b", "value": 3, "kept": "y"},
    ]


def test_an_update_gives_each_row_its_own_values_in_whatever_order_they_come(tmp_path: Path) -> None:
    table = make(tmp_path)
    names = [f"k{number}" for number in range(20)]
    for name in names:
        table.upsert(rows(**{name: -1}))
    table.update(rows(**{name: int(name[1:]) for name in reversed(names[5:])}))
    assert content(table) == {name: int(name[1:]) if name in names[5:] else -1 for name in names}


def test_compaction_leaves_no_deleted_rows_behind(tmp_path: Path) -> None:
    table = make(tmp_path)
    table.upsert(rows(**{f"k{n}": n for n in range(100)}))
    table.upsert(rows(k5=0))
    table.compact()
    table.delete(["k6"])
    table.compact()
    fragments = table.open().get_fragments()
    assert [fragment.num_deletions for fragment in fragments] == [0]
    assert content(table) == {f"k{n}": n for n in range(100) if n != 6} | {"k5": 0}


def test_an_older_table_is_migrated_when_opened(tmp_path: Path) -> None:
    make(tmp_path).upsert(rows(a=1))

    def second(dataset: lance.LanceDataset) -> None:
        dataset.add_columns({"doubled": "value * 2"})

    def third(dataset: lance.LanceDataset) -> None:
        dataset.add_columns({"tripled": "value * 3"})

    assert make(tmp_path, second).open().to_table().to_pylist() == [{"key": "a", "value": 1, "doubled": 2}]
    newest = make(tmp_path, second, third)
    assert newest.open().to_table().to_pylist() == [{"key": "a", "value": 1, "doubled": 2, "tripled": 3}]
    assert newest.open().schema.metadata[b"swipewise.schema_version"] == b"3"


def test_a_new_table_starts_at_the_newest_version(tmp_path: Path) -> None:
    def never(dataset: lance.LanceDataset) -> None:
        raise AssertionError("a new table needs no migration")

    table = make(tmp_path, never)
    table.upsert(rows(a=1))
    assert content(table) == {"a": 1}


def test_a_table_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    make(tmp_path, lambda dataset: None).upsert(rows(a=1))
    with pytest.raises(StoreError, match=r"newer Swipewise \(schema version 2, this one knows 1\): upgrade"):
        make(tmp_path).open()


def test_a_damaged_table_is_an_error_that_names_it(tmp_path: Path) -> None:
    table = make(tmp_path)
    table.upsert(rows(a=1))
    for manifest in (table.path / "_versions").iterdir():
        manifest.write_bytes(b"x")
    with pytest.raises(StoreError, match=r"cannot open .*t\.lance: .*free space"):
        table.open()


def test_a_table_that_cannot_be_created_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot create .*file/t\.lance: "):
        make(tmp_path / "file").upsert(rows(a=1))


# A limit on the size of files stands in for a full disk: the write fails in the same place.
_WRITE_TOO_MUCH = """
import resource, signal, sys
from pathlib import Path
from tests.catalog.test_table import StoreError, content, make, rows
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
table = make(Path(sys.argv[1]))
table.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    table.upsert(rows(**{f"k{n}": n * 7**9 for n in range(20_000)}))
except StoreError as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print(error, content(table))
"""


def test_a_write_that_fails_names_the_path_and_loses_nothing(tmp_path: Path) -> None:
    make(tmp_path).upsert(rows(a=1))
    run = subprocess.run(
        [sys.executable, "-c", _WRITE_TOO_MUCH, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert f"cannot write to {tmp_path}/t.lance" in run.stdout, run.stderr
    assert "{'a': 1}" in run.stdout
