"""The whole suite is shared out among the cores; a part of it starts faster alone."""

from pathlib import Path
from types import SimpleNamespace

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
PLAIN = {
    "numprocesses": None,
    "maxprocesses": None,
    "dist": "no",
    "keyword": "",
    "markexpr": "",
    "lf": False,
    "stepwise": False,
    "usepdb": False,
    "trace": False,
    "capture": "fd",
    "collectonly": False,
}


@pytest.fixture
def shared_out(request, monkeypatch):
    """Options of a run after the hook has seen them."""
    plugins = request.config.pluginmanager.get_plugins()
    hook = next(
        plugin.pytest_cmdline_main
        for plugin in plugins
        if getattr(plugin, "__file__", None) == str(CONFTEST)
    )
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def run(source="TESTPATHS", has_xdist=True, **options):
        config = SimpleNamespace(
            option=SimpleNamespace(**{**PLAIN, **options}),
            args_source=getattr(request.config.ArgsSource, source),
            ArgsSource=request.config.ArgsSource,
            pluginmanager=SimpleNamespace(hasplugin=lambda name: has_xdist),
        )
        hook(config)
        return vars(config.option)

    return run


def test_the_whole_suite(shared_out):
    expected = {"numprocesses": "auto", "maxprocesses": 8, "dist": "loadscope"}
    assert shared_out() == {**PLAIN, **expected}
    assert shared_out(maxprocesses=3)["maxprocesses"] == 3


def test_without_a_cache_there_are_no_options_of_it(shared_out, monkeypatch):
    monkeypatch.delitem(PLAIN, "lf")
    monkeypatch.delitem(PLAIN, "stepwise")
    assert shared_out()["numprocesses"] == "auto"


def test_options_are_those_that_pytest_has(pytestconfig):
    assert set(PLAIN) - {"numprocesses", "maxprocesses", "dist"} <= set(
        vars(pytestconfig.option)
    )


@pytest.mark.parametrize(
    "run",
    [
        {"source": "ARGS"},
        {"source": "INVOCATION_DIR"},
        {"has_xdist": False},
        {"keyword": "mel"},
        {"markexpr": "not slow"},
        {"lf": True},
        {"stepwise": True},
        {"usepdb": True},
        {"trace": True},
        {"capture": "no"},
        {"collectonly": True},
        {"numprocesses": 0},
        {"numprocesses": 5},
    ],
    ids=str,
)
def test_one_process_or_what_was_asked_for(shared_out, run):
    expected = {k: v for k, v in run.items() if k in PLAIN}
    assert shared_out(**run) == {**PLAIN, **expected}


def test_a_worker_shares_nothing_out(shared_out, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert shared_out() == PLAIN
