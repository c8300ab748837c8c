"""The user guide's code about neural classifiers runs, and says what is so."""

import ast
import re
import textwrap
from pathlib import Path

import pytest
import torch
from sklearn.base import clone

from hmsklearn.nets import get_net, list_nets
from hmsklearn.neural import BaseNeuralClassifier, MultiViewClassifier
from hmsklearn.neural import WaveformClassifier as Waveform
from hmsklearn.recipes import _registry

GUIDE = Path(__file__).parents[1] / "docs" / "user_guide"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


def blocks_of(page):
    text = (GUIDE / f"{page}.rst").read_text(encoding="utf-8")
    pattern = r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)"
    return [textwrap.dedent(block) for block in re.findall(pattern, text, flags=re.M)]


def run(page):
    """Run a page from top to bottom; compare what its comments say it gives."""
    names = {"__name__": page}
    for number, block in enumerate(blocks_of(page)):
        lines = block.splitlines()
        for node in ast.parse(block).body:
            code = ast.Module([node], [])
            where = f"{page}.rst, block {number}"
            if not isinstance(node, ast.Expr):
                exec(compile(code, where, "exec"), names)
                continue
            value = eval(compile(ast.Expression(node.value), where, "eval"), names)
            said = _said(lines[node.end_lineno - 1][node.end_col_offset :])
            if said is not None:
                assert value == said, f"{where}: {lines[node.end_lineno - 1]}"
    return names


def _said(comment):
    """What stands behind an expression, if it is a value."""
    try:
        return ast.literal_eval(comment.strip().removeprefix("#").strip())
    except (SyntaxError, ValueError):
        return None


@pytest.mark.parametrize(
    "page", ["blending", "checks", "evaluation", "frontends", "multi_view", "recipes"]
)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A page may register a recipe, which is nobody else's.
    monkeypatch.setattr(_registry, "_RECIPES", dict(_registry._RECIPES))
    assert run(page)


def test_comments_are_compared():
    assert _said("   # ['net']") == ["net"]
    assert _said("   # 256") == 256
    assert _said("   # every validation") is None


# How the parameters of a curriculum are cut down to a second of training.
SMALL = {
    **{"architecture_params": {"width": 8, "gru_hidden": 0, "n_blocks": 2}},
    **{"device": "cpu", "random_state": 0},
}

CURRICULA = [
    *("second", "third_image", "third_signal"),
    *("fourth_yu4u", "fourth_tattaka", "fourth_bilzard"),
    *("sixth", "seventh", "public"),
]


def shortened(params):
    """One epoch of everything, at the first rate of those listed."""
    params = {**params, "max_epochs": 1}
    if not isinstance(params.get("schedule", ""), str):
        params["schedule"] = params["schedule"][:1]
    return params


def test_training_page_and_the_curricula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run("training")
    assert (tmp_path / "resnet.pt").exists()
    for name in CURRICULA:
        params = shortened(names[name])
        stages = [shortened(stage) for stage in params.get("stages", [{}])]
        if "stages" in params:
            params["stages"] = stages
        clf = Waveform(**SMALL, **params)
        clf.fit(names["X"], names["y"], groups=names["patient"], eeg_id=names["eeg_id"])
        assert len(clf.history_) == len(stages), name
        assert clf.history_["train_loss"].notna().all(), name


def test_every_registered_net_is_described():
    page = (GUIDE / "networks.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"``(\w+)``", page))
    # Doctests and tests register nets of their own.
    ours = {
        n for n in list_nets() if get_net(n).__module__.startswith("hmsklearn.nets")
    }
    assert {n for n in ours if not n.startswith("doctest")} <= named


def test_every_parameter_of_training_is_described():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in GUIDE.glob("*.rst"))
    words = set(re.findall(r"\w+", pages))
    parameters = set(BaseNeuralClassifier().get_params())
    assert parameters <= words


VIT = (1, 518, 518)

#: Shape of one window, and number of features, of the page on networks.
PUBLISHED = {
    "second_film": ((3, 32, 61, 201), 2048),
    "second_raw": ((3, 160, 1000), 2048),
    "second_raw_too": ((3, 160, 1000), 2048),
    "second_double": ({"film": (3, 16, 56, 201), "raw": (3, 160, 1000)}, 4096),
    "third_image": ((1, 2048, 257), 1536),
    "third_signal": ((16, 10000), 128),
    "fourth_signal": ((16, 1920), 384),
    "fourth_similar": ((16, 1920), 744),
    "fourth_symmetric": ((40, 512), 192),
    "fourth_merged": ((20, 96, 192), 1024),
    "fourth_slices": ((1, 4, 384, 384), 1024),
    "fifth_wavenet": ((16, 10000), 768),
    "fifth_halving": ((16, 10000), 1792),
    "fifth_kernels": ((16, 10000), 768),
    "fifth_neck": ((16, 102, 84), 768),
    "fifth_tiles": ((1, 512, 1536), 1536),
    "fifth_stacked": ((1, 512, 512), 768),
    "sixth": (dict.fromkeys(("host", "spectrogram", "raw_50", "raw_10"), VIT), 1536),
    "sixth_mix": (
        dict.fromkeys(("host", "spectrogram", "raw_50", "raw_10"), VIT),
        2560,
    ),
    "seventh": ((1, 512, 512), 1024),
    "seventh_too": ((1, 512, 512), 512),
    "eighth": (
        {"spectrogram": (1, 512, 512), "plot": (1, 224, 224), "raw": (16, 10000)},
        576 + 576 + 448,
    ),
    "ninth": (
        {"raw": (16, 10000), "spectrogram": (1, 512, 512), "host": (1, 128, 256)},
        512,
    ),
    "tenth": ((1, 256, 256), 2560),
    "tenth_too": ((1, 256, 256), 1536),
    "fifteenth": (
        {"raw": (24, 10000), "stft": (1, 672, 862), "host": (10, 128, 256)},
        2048 + 1280 + 2048,
    ),
    "public_resnet": ((8, 2000), 304),
    "public_wavenet": ((8, 2000), 256),
    "nodes": ((19, 2500), 256),
    "eleventh": ((16, 10000), 256),
    "learned_kernels": ((3, 1536, 304), 1280),
    "patches": ((1, 128, 1024), 384),
}


@pytest.fixture(scope="module")
def networks():
    return run("networks")


def test_every_solution_has_its_shape(networks):
    estimators = {
        name
        for name, value in networks.items()
        if isinstance(value, BaseNeuralClassifier) and name != "clf"
    }
    assert estimators == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_solution_is_built_as_published(name, networks):
    """Nets are built without memory for their weights."""
    clf, (shape, n_features) = clone(networks[name]), PUBLISHED[name]
    if isinstance(clf, MultiViewClassifier):
        assert set(shape) == {branch for branch, _ in clf.branches}
        clf._shapes_before = shape
    factory, params = clf._architecture(shape, 6)
    with torch.device("meta"):
        net = factory(**params)
        net.reset_head(6, **(clf.head or {}))
    assert net.num_features == n_features
    assert net.n_outputs == 6
