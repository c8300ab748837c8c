"""Finding recipes, and changing what they say."""

import numpy as np
import pytest
import timm
import torch

from hmsklearn.neural import TimmClassifier
from hmsklearn.recipes import Scale, list_recipes, make_recipe, register_recipe
from hmsklearn.recipes import _registry as registry

NAMES = {
    "hms_1st",
    "hms_2nd",
    "hms_3rd",
    "hms_4th",
    "hms_5th",
    "hms_6th",
    "hms_7th",
    "hms_8th",
    "hms_9th",
    "hms_10th",
    "cranjis_mcb",
    "mkanna",
    "eight_models",
    "seti",
    "consensus",
}


def test_every_published_system_is_there():
    assert set(list_recipes().index) == NAMES


def test_table():
    table = list_recipes()
    assert table.index.name == "name"
    places = [
        f"hms_{n}" for n in ("1st", "2nd", "3rd", *(f"{i}th" for i in range(4, 11)))
    ]
    assert table.index[:10].tolist() == places
    assert table["rank"][:10].tolist() == [str(number) for number in range(1, 11)]
    assert (table.drop(columns="rank")[["inputs", "nets", "source"]] != "").all(
        axis=None
    )
    assert table["source"].str.startswith("http").sum() >= 12
    assert table.loc["hms_1st", "private"] == 0.272332
    assert table.loc["mkanna", "public"] == 0.40
    assert np.isnan(table.loc["hms_3rd", "private"])  # no source has it
    for score in ("cv", "public", "private"):
        assert table[score].dtype == float
        hms = table[score].drop("seti").dropna()
        assert hms.between(0.2, 0.8).all()


@pytest.mark.parametrize(
    ("name", "hint"), [("hms_7", "'hms_7th'"), ("concensus", "'consensus'")]
)
def test_unknown_recipe(name, hint):
    with pytest.raises(ValueError, match=f"no recipe '{name}'.*Did you mean {hint}"):
        make_recipe(name)


def test_unknown_scale():
    with pytest.raises(ValueError, match="scale='tiny' is not known"):
        make_recipe("consensus", "tiny")


def test_a_name_belongs_to_one_recipe():
    params = {"inputs": "a", "nets": "b", "source": "c", "family": "d"}
    with pytest.raises(ValueError, match="'consensus' is the name of consensus"):

        @register_recipe("consensus", **params)
        def other(s):
            raise AssertionError(s)


def test_a_new_recipe_is_one_function(monkeypatch):
    monkeypatch.setattr(registry, "_RECIPES", dict(registry._RECIPES))

    @register_recipe("mine", inputs="mel", nets="B0", source="me", family="mine")
    def mine(s):
        return TimmClassifier(
            s("tf_efficientnet_b0", "test_resnet"), random_state=s.seed(2)
        )

    assert list_recipes().loc["mine", "nets"] == "B0"
    assert make_recipe("mine").backbone == "tf_efficientnet_b0"
    small = make_recipe("mine", "small", random_state=5, lr=1e-5)
    assert (small.backbone, small.random_state, small.lr) == ("test_resnet", 7, 1e-5)


def test_scale():
    assert Scale("full")(1, 2) == 1
    assert Scale("small")(1, 2) == 2
    assert Scale("small").small
    assert Scale("full", None).seed(3) is None


def test_one_parameter_of_one_part():
    stack = make_recipe("consensus", "small", raw__estimator__net__lr=3e-5)
    params = stack.get_params()
    assert params["raw__estimator__net__lr"] == 3e-5
    assert params["mel__estimator__net__lr"] == 3e-3


def test_a_bare_name_is_set_everywhere():
    stack = make_recipe("consensus", "small", root="folder", verbose=1, batch_size=5)
    params = stack.get_params()
    roots = [value for path, value in params.items() if path.endswith("__root")]
    assert roots == ["folder"] * 3
    assert params["verbose"] == params["signal__estimator__net__verbose"] == 1
    assert params["signal__estimator__verbose"] is False  # scikit-learn's own
    assert params["signal__estimator__net__batch_size"] == 5


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"batchsize": 3},
            "no part of consensus has a parameter 'batchsize'.*batch_size",
        ),
        (
            {"raw__estimator__net__rate": 3},
            "has no parameter 'raw__estimator__net__rate'",
        ),
        ({"max_epochs": 3}, "'max_epochs' of .* is what its stages say.*stages"),
    ],
)
def test_bad_overrides(overrides, message):
    with pytest.raises(ValueError, match=message):
        make_recipe("consensus", "small", **overrides)


def test_weights_of_timm_by_name():
    stack = make_recipe("consensus", "small", pretrained=True)
    params = stack.get_params()
    assert params["raw__estimator__net__weights"] == "pretrained"
    assert params["signal__estimator__net__weights"] is None  # not one of timm's


@pytest.mark.parametrize("name", ["hms_4th", "hms_5th", "hms_9th"])
def test_weights_of_backbones_inside_of_nets(name, tmp_path):
    def around(recipe):
        return [
            net
            for net in recipe.get_params().values()
            if "backbone" in (getattr(net, "architecture_params", None) or {})
        ]

    nets = around(make_recipe(name, "small", pretrained=True))
    assert nets
    assert {net.weights for net in nets} == {"pretrained"}
    for backbone in ("efficientnet", "resnet", "convnext", "vit", "vit2"):
        (tmp_path / f"test_{backbone}.pt").touch()
    nets = around(make_recipe(name, "small", pretrained=tmp_path))
    assert {net.weights for net in nets} == {tmp_path}


def test_weights_in_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        make_recipe("consensus", "small", pretrained=tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no weights of test_efficientnet"):
        make_recipe("consensus", "small", pretrained=tmp_path)
    with pytest.raises(TypeError, match="neither a bool nor a folder"):
        make_recipe("consensus", "small", pretrained=1.5)
    path = tmp_path / "test_efficientnet.pt"
    net = timm.create_model("test_efficientnet", in_chans=3)
    torch.save(net.state_dict(), path)
    stack = make_recipe("consensus", "small", pretrained=str(tmp_path))
    assert stack.get_params()["mel__estimator__net__weights"] == path
    # They are what the net starts from.
    clf = stack.get_params()["mel__estimator__net"]
    clf.set_params(
        stages=None,
        sampling=None,
        lr=1e-30,  # too little to change a weight
        min_lr=0.0,
        max_epochs=1,
        augment=None,
        ema=None,
        batch_size=4,
        frontend=None,
        device="cpu",
    )
    clf.fit(np.random.default_rng(0).normal(size=(6, 3, 64, 64)), np.eye(6))
    body = clf.net_.module_.body.backbone.state_dict()
    key = next(key for key in net.state_dict() if key.endswith("conv_pw.weight"))
    torch.testing.assert_close(body[key], net.state_dict()[key])
