"""Names are where the documentation says, and importing stays cheap."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hmsklearn

PACKAGE = Path(hmsklearn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(
    f"hmsklearn.{info.name}"
    for info in pkgutil.iter_modules(hmsklearn.__path__)
    if not info.name.startswith("_")
)

OPTIONAL = {"matplotlib", "mne"}

NAMES = {
    "augmentation": [
        "AUGMENTATIONS",
        "AugmentationList",
        "BaseAugmentation",
        "LeftRightMirror",
        "Mixup",
        "OneOf",
        "SineNeedle",
        "WindowJitter",
        "XYMasking",
        "apply_all",
        "create_augmentation",
        "list_augmentations",
    ],
    "calibration": [
        "TemperatureScaledClassifier",
        "fit_temperature",
        "scale_temperature",
    ],
    "datasets": [
        "HMSReader",
        "SETIReader",
        "load_hms",
        "load_seti",
        "make_hms",
        "make_seti",
    ],
    "ensemble": [
        "AveragingKLClassifier",
        "KLBlender",
        "SoftLabelClassifier",
        "StackingKLClassifier",
        "TestTimeAugmenter",
    ],
    "imaging": [
        "BackgroundNormalizer",
        "ChainMean",
        "ImageResizer",
        "ImageStandardizer",
        "ImageTiler",
        "KaggleSpectrogramImager",
        "PanelStatistics",
        "PlaneContrast",
        "ViewUnion",
        "WaveformImager",
        "WaveformPlotter",
        "WindowUnion",
    ],
    "metrics": [
        "calibration_report",
        "compare_models",
        "expected_calibration_error",
        "kl_divergence",
        "kl_noise_floor",
        "kl_report",
        "kl_scorer",
        "make_kl_scorer",
        "reliability_curve",
    ],
    "model_selection": [
        "VoteStratifiedGroupKFold",
        "audit_leakage",
        "deduplicate_windows",
        "oof_predict_proba",
    ],
    "montage": ["CH_NAMES", "Montage", "get_montage"],
    "nets": [
        "BaseNet",
        "MultiViewNet",
        "NetOutput",
        "TimmNet",
        "create_net",
        "get_net",
        "list_nets",
        "net_config",
        "register_net",
    ],
    "nets.layers": ["GlobalPool", "InputNorm", "VoteHead", "create_pool"],
    "neural": [
        "BaseNeuralClassifier",
        "DecayingVoteWeight",
        "DirichletMultinomialLoss",
        "FocalLoss",
        "Frontend",
        "ImageClassifier",
        "MinimumVoteWeight",
        "MultiViewClassifier",
        "SoftBCELoss",
        "TimmClassifier",
        "TwoLevelVoteWeight",
        "VideoClassifier",
        "VoteKLLoss",
        "VoteLoss",
        "WaveformClassifier",
        "fuse",
        "unfuse",
    ],
    "pipeline": ["RowPipeline"],
    "preprocessing": [
        "AmplitudeScaler",
        "ButterworthFilter",
        "CentreCrop",
        "ChannelQuality",
        "Decimator",
        "MontageTransformer",
        "NaNImputer",
        "RobustChannelScaler",
    ],
    "recipes": ["Scale", "list_recipes", "make_recipe", "register_recipe"],
    "semi_supervised": [
        "PseudoLabelClassifier",
        "SHOTClassifier",
        "blend_pseudo_labels",
    ],
    "spectrogram": [
        "HostSpectrogramizer",
        "MelSpectrogramizer",
        "MultitaperSpectrogramizer",
    ],
    "testing": ["check_signal_estimator", "parametrize_with_signal_checks"],
    "views": ["WindowViews"],
    "votes": ["CLASSES", "VOTE_COLUMNS", "check_votes"],
}


@pytest.mark.parametrize(
    ("room", "name"), [(room, name) for room in NAMES for name in NAMES[room]]
)
def test_name_is_in_its_room(room, name):
    module = importlib.import_module(f"hmsklearn.{room}")
    assert name in module.__all__
    assert hasattr(module, name)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_is_described_and_imports_absolutely(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path} has no module docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            assert all(alias.name != "*" for alias in node.names), f"{path} imports *"


API = Path(__file__).parents[1] / "docs" / "api.rst"


@pytest.mark.parametrize("room", [*ROOMS, "hmsklearn.nets.layers"])
def test_reference_names_what_is_public(room):
    """What a room offers is in docs/api.rst."""
    listed = re.findall(r"^   ([\w.]+)$", API.read_text("utf-8"), flags=re.M)
    assert len(set(listed)) == len(listed)
    short = room.removeprefix("hmsklearn.")
    public = getattr(importlib.import_module(room), "__all__", ())
    assert {f"{short}.{name}" for name in public} <= set(listed)


@pytest.mark.parametrize(
    "name", re.findall(r"^   ([\w.]+\.\w+)$", API.read_text("utf-8"), flags=re.M)
)
def test_reference_names_what_exists(name):
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(f"hmsklearn.{module}"), attribute)


def modules_with_all():
    for info in pkgutil.walk_packages(hmsklearn.__path__, "hmsklearn."):
        try:
            module = importlib.import_module(info.name)
        except ModuleNotFoundError as error:
            if error.name not in OPTIONAL:
                raise
            continue
        if hasattr(module, "__all__"):
            yield module


def test_all_is_sorted_and_true():
    for module in modules_with_all():
        names = list(module.__all__)
        assert len(set(names)) == len(names), f"{module.__name__}.__all__ repeats"
        # As ruff sorts it: constants, then classes, then the rest.
        order = sorted(names, key=_sort_key)
        assert names == order, f"{module.__name__}.__all__ should be {order}"
        for name in names:
            assert hasattr(module, name), f"{module.__name__} lacks {name}"


def _sort_key(name):
    if name.isupper():
        return (0, name)
    return (1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("room", ROOMS)
def test_room_names_what_it_imports(room):
    """What a room's ``__init__`` takes from its private files is in ``__all__``."""
    module = importlib.import_module(room)
    path = Path(module.__file__)
    if path.name != "__init__.py":
        return
    taken = {
        alias.asname or alias.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        and node.module is not None
        and node.module.startswith("hmsklearn")
        for alias in node.names
    }
    assert taken == set(getattr(module, "__all__", ())) & taken
    assert {name for name in taken if name.startswith("_")} == set()


def modules_loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_importing_the_package_is_light():
    loaded = modules_loaded_by("import hmsklearn")
    assert not loaded & {"torch", "sklearn", "pandas", "scipy", "numpy", "timm"}


def test_importing_every_room_needs_no_extra():
    # scikit-learn's checks, and so hmsklearn.testing, import pytest if it is there.
    rooms = [room for room in ROOMS if room != "hmsklearn.testing"]
    loaded = modules_loaded_by("; ".join(f"import {room}" for room in rooms))
    extras = {"matplotlib", "mne", "librosa", "pytest", "numpydoc", "hypothesis"}
    extras |= {"distributed", "dask", "xgboost"}
    assert not loaded & extras


@pytest.mark.parametrize(
    "room",
    [
        *("votes", "metrics", "montage", "preprocessing", "imaging", "spectrogram"),
        *("augmentation", "views"),
    ],
)
def test_signal_rooms_do_not_import_networks(room):
    loaded = modules_loaded_by(f"import hmsklearn.{room}")
    assert not loaded & {"timm", "torchvision", "skorch"}
