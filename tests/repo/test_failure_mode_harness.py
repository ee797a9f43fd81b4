"""The harness of tests/failure_modes must itself be able to fail: sessions of its own on small folders of row tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.core import json_text
from landline.core.json_text import without_half_surrogates
from landline.core.sse import SSEDecoder
from tests.failure_modes.ablation import Ablation, load_ablations, resolve, switched_off
from tests.failure_modes.catalogue import Results, RowResult, differences, read_results, write_results

pytest_plugins = ["pytester"]

TARGET = "landline.core.json_text:without_half_surrogates"
CONFTEST = """
from pathlib import Path
from tests.failure_modes.plugin import FailureModes, pytest_addoption

def pytest_configure(config):
    here = Path(__file__).parent
    config.pluginmanager.register(FailureModes(config, here, complete={complete}, ablations="switches"))
"""
SETTINGS = """
[pytest]
markers =
    row(id): x
    failure_modes: x
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
ROWS = """
import asyncio
import pytest
from landline.core import json_text

@pytest.mark.row("1.1")
def test_row_1_1_mended():
    assert json_text.without_half_surrogates(b'"x"') == b'"x"'

@pytest.mark.row("1.2")
async def test_row_1_2_waits():
    await asyncio.sleep(0)
    json_text.without_half_surrogates(b'"x"')

@pytest.mark.row("1.3")
def test_row_1_3_is_about_nothing():
    assert True
"""
CATALOGUE = '[rows]\n"1.1" = "first"\n"1.2" = "second"\n"1.3" = "third"\n'
SWITCHES = """
import time
from tests.failure_modes.ablation import Ablation

def _hangs(data):
    while True:
        time.sleep(0.01)

ABLATIONS = (
    Ablation("other", "gives something else", "{target}", lambda data: b"other"),
    Ablation("same", "gives the same", "{target}", lambda data: data),
    Ablation("hangs", "never comes back", "{target}", _hangs),
    Ablation("gone", "was renamed", "landline.core.json_text:no_such_thing", None),
)
"""


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    lay(pytester, complete=True)
    return pytester


def lay(pytester: pytest.Pytester, *, complete: bool, rows: str = ROWS) -> None:
    pytester.makeconftest(CONFTEST.format(complete=complete))
    pytester.makefile(".ini", pytest=SETTINGS)
    pytester.makepyfile(test_sample=rows)
    pytester.makefile(".toml", catalogue=CATALOGUE)
    package = pytester.mkpydir("switches")
    (package / "topic.py").write_text(SWITCHES.format(target=TARGET), encoding="utf-8")


def run(pytester: pytest.Pytester, *options: str) -> tuple[int, str]:
    done = pytester.runpytest_inprocess("-m", "failure_modes", *options)
    return int(done.ret), str(done.stdout)


def test_every_way_to_prove_nothing_is_reported(folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.failure_modes.ablated_runs.LEAST_LIMIT_S", 0.3)
    code, said = run(folder, "--ablate", "--write-results")
    assert code == 1
    red = {line.split()[0]: line.split()[-1] for line in said.partition("without it")[2].splitlines() if line}
    assert (red["other"], red["same"]) == ("1.1", "nothing")
    assert "never comes back" in said
    assert "1.1 1.2" in said, "what hangs is red"
    assert "row 1.3 never turned red" in said
    assert "ablation same turned nothing red" in said
    assert "ablation gone: no landline.core.json_text:no_such_thing" in said
    recorded = read_results(folder.path / "results.toml")
    assert recorded.rows["1.1"] == RowResult("passed", ["test_sample.py::test_row_1_1_mended"], ["hangs", "other"])
    assert recorded.ablations.keys() == {"other", "same", "hangs"}
    assert json_text.without_half_surrogates is without_half_surrogates, "everything is on again"


def test_one_line_per_row_and_what_is_recorded_must_still_hold(folder: pytest.Pytester) -> None:
    tests = {row: [f"test_sample.py::test_row_{name}"] for row, name in (("1.1", "1_1_mended"), ("1.2", "1_2_waits"))}
    rows = {row: RowResult("passed", names, ["other"]) for row, names in tests.items()}
    rows["1.3"] = RowResult("passed", ["test_sample.py::test_row_1_3_is_about_nothing"])
    write_results(folder.path / "results.toml", Results(rows))
    code, said = run(folder)
    assert code == 0
    assert [line.split()[:2] for line in said.splitlines() if line.startswith("1.")] == [
        ["1.1", "passed"],
        ["1.2", "passed"],
        ["1.3", "passed"],
    ]
    folder.makepyfile(test_sample=ROWS.replace("assert True", "assert False"))
    code, said = run(folder)
    assert code == 1
    assert "1.3: result was passed, is failed" in said


def test_a_row_holds_with_one_test_skipped_and_not_with_all(folder: pytest.Pytester) -> None:
    """What needs a client from npm is skipped where there is none; the row's other tests still speak for it."""
    skipped = '\n@pytest.mark.row("{}")\ndef test_row_{}_needs_more():\n    pytest.skip("not here")\n'
    folder.makepyfile(
        test_sample=ROWS.partition('@pytest.mark.row("1.3")')[0]
        + "".join(skipped.format(row, row.replace(".", "_")) for row in ("1.1", "1.3"))
    )
    _, said = run(folder)
    found = [line.split()[:2] for line in said.splitlines() if line.startswith("1.")]
    assert found == [["1.1", "passed"], ["1.2", "passed"], ["1.3", "failed"]]


def test_a_row_without_test_fails_a_whole_run_only(folder: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.failure_modes.ablated_runs.LEAST_LIMIT_S", 0.3)
    folder.makepyfile(test_sample=ROWS.partition('@pytest.mark.row("1.3")')[0])
    code, said = run(folder)
    assert code == 1
    assert "row 1.3 has no test" in said
    code, said = run(folder, "-k", "row_1_1")
    assert code == 0
    assert "1.3" not in said
    code, said = run(folder, "-k", "row_1_1", "--ablate", "--write-results")
    assert code == 1
    assert "no results were written" in said
    assert not (folder.path / "results.toml").exists()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("test_row_1_2_waits", "test_row_1_3_waits", "the name does not carry the row 1.2"),
        ("test_row_1_2_waits", "test_waits", "a test here is called"),
        ('row("1.2")', 'row("1.2", "9.9")', "there is no row 9.9"),
    ],
)
def test_a_name_must_carry_its_row(folder: pytest.Pytester, before: str, after: str, told: str) -> None:
    folder.makepyfile(test_sample=ROWS.replace(before, after))
    code, said = run(folder, "-k", "1_1 or waits")
    assert code == 1
    assert told in said


def test_a_function_is_replaced_wherever_it_was_imported() -> None:
    ablation = Ablation("off", "x", TARGET, lambda data: b"other")
    with switched_off(ablation):
        assert without_half_surrogates(b"x") == b"other"  # this module's own name for it
        assert json_text.without_half_surrogates(b"x") == b"other"
    assert without_half_surrogates(b"x") == b"x"


def test_methods_constants_and_inherited_names() -> None:
    with switched_off(Ablation("feed", "x", "landline.core.sse:SSEDecoder.feed", lambda self, data: [data])):
        assert SSEDecoder().feed(b"x") == [b"x"]
    assert SSEDecoder().feed(b"x") == []
    with switched_off(Ablation("repr", "x", "landline.core.sse:SSEDecoder.__repr__", lambda self: "off")):
        assert repr(SSEDecoder()) == "off"
    assert "__repr__" not in vars(SSEDecoder)
    limit = Ablation("limit", "x", "landline.core.sse:FRAME_LIMIT", 3)
    with switched_off(limit), pytest.raises(ValueError, match="one event of more than 3 bytes"):
        SSEDecoder().feed(b"data: 12345")
    assert resolve(limit).found == 16 * 1024 * 1024


def test_results_are_kept_and_compared(tmp_path: Path) -> None:
    found = Results({"1.1": RowResult("passed", ["a.py::test"], ["x"])}, {"x": 'the name "null"'})
    write_results(tmp_path / "results.toml", found)
    recorded = read_results(tmp_path / "results.toml")
    assert recorded == found
    assert differences(recorded, found, ablated=True) == []
    found.rows["1.1"].ablations = []
    assert differences(recorded, found, ablated=False) == []
    assert differences(recorded, found, ablated=True) == ["1.1: ablations was ['x'], is []"]


def test_what_is_wrong_with_ablations_is_said(pytester: pytest.Pytester) -> None:
    lay(pytester, complete=True)
    twice = "from tests.failure_modes.ablation import Ablation\nfrom landline.core import json_text\n"
    twice += f'ABLATIONS = (Ablation("other", "x", "{TARGET}", 1),'
    twice += f'Ablation("itself", "x", "{TARGET}", json_text.without_half_surrogates),'
    twice += f'Ablation("crash", "x", "{TARGET}", lambda: b""))\n'
    (pytester.path / "switches" / "twice.py").write_text(twice, encoding="utf-8")
    (pytester.path / "switches" / "broken.py").write_text("import no_such_module\n", encoding="utf-8")
    pytester.syspathinsert()
    problems: list[str] = []
    assert [ablation.name for ablation in load_ablations("switches", problems=problems)] == ["other", "same", "hangs"]
    told = " ".join(problems)
    for words in (
        "broken cannot be read",
        "no_such_thing",
        "two ablations are called other",
        "replaces its target",
        "crash cannot be called",
    ):
        assert words in told
