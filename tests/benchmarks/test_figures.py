from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Figures, Options, run

PAGE = Path(__file__).parents[2] / "benchmarks" / "page.py"


@pytest.mark.parametrize(
    ("figure", "bar", "met"),
    [
        (Figure(figure="a", value=1.25, at_least=1.25, unit="x"), ">= 1.25x", True),
        (Figure(figure="a", value=1.2499, at_least=1.25), ">= 1.25", False),
        (Figure(figure="a", value=3, at_most=2), "<= 2", False),
        (Figure(figure="a", value=0, at_most=0), "<= 0", True),
        (Figure(figure="a", value=5, at_least=1, at_most=4), ">= 1 and <= 4", False),
        (Figure(figure="a", value=math.nan, at_least=0), ">= 0", False),
        (Figure(figure="a", value=math.nan), "-", False),
        (Figure(figure="a", value=-7), "-", True),
    ],
)
def test_a_bar_is_met_or_missed(figure: Figure, bar: str, met: bool) -> None:
    assert (figure.bar, figure.met) == (bar, met)


def passing(figures: Figures, options: Options) -> None:
    figures.record("rows lost", 0, at_most=0)
    figures.record("ratio", 1.33333, at_least=1.25, unit="x")
    figures.record("small" if options.quick else "large", 12)


def failing(figures: Figures, options: Options) -> None:
    figures.record("rows lost", 2, at_most=0)


def test_figures_are_printed_one_a_line_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        run(passing, "A benchmark.", [])
    assert exit.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        "rows lost  0       <= 0      met",
        "ratio      1.333x  >= 1.25x  met",
        "large      12      -",
    ]


def test_a_missed_bar_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        run(failing, None, [])
    assert exit.value.code == 1
    assert capsys.readouterr().out == "rows lost  2  <= 0  missed\n"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [([], 1, "rows lost  2  <= 0  missed\n"), (["--quick"], 0, "rows lost  2  -\n")],
)
def test_a_benchmark_may_have_no_bars_when_it_runs_small(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, line: str
) -> None:
    with pytest.raises(SystemExit) as exit:
        run(failing, None, arguments, quick_bars=False)
    assert exit.value.code == code
    assert capsys.readouterr().out == line


def test_all_figures_come_onto_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, measure in (("a", passing), ("b", failing)):
        with pytest.raises(SystemExit):
            run(measure, f"What {name} measures.\n\nAnd more.", ["--json", str(tmp_path / f"{name}.json")])
    capsys.readouterr()
    page = subprocess.run([sys.executable, PAGE, tmp_path], capture_output=True, text=True, check=True).stdout
    assert f"What a measures.\n\nBy `benchmarks/{Path(sys.argv[0]).stem}.py`, on 20" in page
    assert "And more" not in page
    assert "| ratio | 1.333x | >= 1.25x | met |" in page
    assert "| large | 12 | - |  |" in page
    assert "| rows lost | 2 | <= 0 | **missed** |" in page
    missing = subprocess.run(
        [sys.executable, PAGE, tmp_path / "none"], capture_output=True, text=True, check=False
    )
    assert (missing.returncode, "none holds no figures" in missing.stderr) == (1, True)


def test_each_part_of_a_benchmark_has_a_table_of_its_own(tmp_path: Path) -> None:
    told: dict[str, object] = {"benchmark": "b", "measures": "It.", "day": "", "machine": "", "figures": []}
    for name, options in (("b", []), ("b-one", ["--only", "one"]), ("b-two", ["--quick", "--only", "two words"])):
        kept = told | {"options": options, "quick": "--quick" in options}
        (tmp_path / f"{name}.json").write_text(json.dumps(kept))
    page = subprocess.run([sys.executable, PAGE, tmp_path], capture_output=True, text=True, check=True).stdout
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## b --only one",
        "## b --only 'two words', run small",
        "## b",
    ]
    assert "By `benchmarks/b.py --quick --only 'two words'`" in page


def test_the_page_of_the_documentation_is_that_of_the_figures_beside_it() -> None:
    folder = PAGE.parents[1] / "docs" / "figures"
    page = subprocess.run([sys.executable, PAGE, folder], capture_output=True, text=True, check=True).stdout
    assert page == (folder / "figures.md").read_text(encoding="utf-8")
    for path in folder.glob("*.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        # A part of a benchmark is told in a file of its own.
        assert (told["quick"], told["benchmark"]) == (False, path.stem.partition("-")[0])


def test_the_same_goes_to_a_file(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run(passing, None, ["--quick", "--json", str(tmp_path / "figures.json")])
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["quick"] is True
    assert written["options"] == ["--quick"]
    assert written["figures"][1] == {
        "figure": "ratio",
        "value": 1.33333,
        "at_least": 1.25,
        "at_most": None,
        "unit": "x",
        "met": True,
    }
    assert written["figures"][2]["figure"] == "small"


def test_a_file_says_by_which_options_it_was_made_but_not_where(tmp_path: Path) -> None:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--data")

    for json_words in (["--json", str(tmp_path / "a.json")], [f"--json={tmp_path / 'a.json'}"]):
        with pytest.raises(SystemExit):
            run(passing, None, ["--data", str(tmp_path / "logs"), *json_words, "--quick"], add_options=add)
        assert json.loads((tmp_path / "a.json").read_text())["options"] == ["--data", "logs", "--quick"]


def test_what_was_measured_before_an_error_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(figures: Figures, options: Options) -> None:
        figures.record("so far", 1)
        raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        run(breaks, None, [])
    assert capsys.readouterr().out == "so far  1  -\n"


def test_a_figure_that_is_no_number_is_null_in_the_file(tmp_path: Path) -> None:
    def undefined(figures: Figures, options: Options) -> None:
        figures.record("undefined", math.nan)

    with pytest.raises(SystemExit):
        run(undefined, None, ["--json", str(tmp_path / "figures.json")])
    assert json.loads((tmp_path / "figures.json").read_text())["figures"][0]["value"] is None


def test_a_name_is_used_once() -> None:
    figures = Figures()
    figures.record("a", 1)
    with pytest.raises(AssertionError, match="'a' is recorded twice"):
        figures.record("a", 2)
