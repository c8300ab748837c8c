import pytest
import torch

from hmsklearn.nets import X3D, convert_pytorchvideo_state

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def norm(name, width):
    shapes = {entry: (width,) for entry in NORM} | {"num_batches_tracked": ()}
    return {f"{name}.{entry}": shape for entry, shape in shapes.items()}


def shapes_of_x3d_s():
    """Names and shapes of the state dict of PyTorchVideo's x3d_s."""
    shapes = {
        "blocks.0.conv.conv_t.weight": (24, 3, 1, 3, 3),
        "blocks.0.conv.conv_xy.weight": (24, 1, 5, 1, 1),
        **norm("blocks.0.norm", 24),
        "blocks.5.pool.pre_conv.weight": (432, 192, 1, 1, 1),
        **norm("blocks.5.pool.pre_norm", 432),
        "blocks.5.pool.post_conv.weight": (2048, 432, 1, 1, 1),
        "blocks.5.proj.weight": (400, 2048),
        "blocks.5.proj.bias": (400,),
    }
    before = 24
    stages = [(24, 54, 8, 3), (48, 108, 8, 5), (96, 216, 16, 11), (192, 432, 32, 7)]
    for i, (width, inner, squeeze, depth) in enumerate(stages, start=1):
        for j in range(depth):
            block = f"blocks.{i}.res_blocks.{j}"
            enters = before if j == 0 else width
            if j == 0:
                shapes[f"{block}.branch1_conv.weight"] = (width, enters, 1, 1, 1)
            if enters != width:
                shapes |= norm(f"{block}.branch1_norm", width)
            shapes[f"{block}.branch2.conv_a.weight"] = (inner, enters, 1, 1, 1)
            shapes |= norm(f"{block}.branch2.norm_a", inner)
            shapes[f"{block}.branch2.conv_b.weight"] = (inner, 1, 3, 3, 3)
            shapes |= norm(f"{block}.branch2.norm_b.0", inner)
            if j % 2 == 0:
                name = f"{block}.branch2.norm_b.1.block"
                shapes[f"{name}.0.weight"] = (squeeze, inner, 1, 1, 1)
                shapes[f"{name}.0.bias"] = (squeeze,)
                shapes[f"{name}.2.weight"] = (inner, squeeze, 1, 1, 1)
                shapes[f"{name}.2.bias"] = (inner,)
            shapes[f"{block}.branch2.conv_c.weight"] = (width, inner, 1, 1, 1)
            shapes |= norm(f"{block}.branch2.norm_c", width)
        before = width
    return shapes


@pytest.fixture
def state():
    torch.manual_seed(0)
    return {
        name: torch.rand(shape) if shape else torch.tensor(7)
        for name, shape in shapes_of_x3d_s().items()
    }


def test_every_weight_finds_its_place(state):
    learnt = (v for k, v in state.items() if not k.endswith((*NORM[2:],)))
    assert sum(weight.numel() for weight in learnt) == 3_794_274
    net = X3D(3, 6, (2, 8, 8))
    result = net.load_state_dict(convert_pytorchvideo_state(state), strict=False)
    assert result.unexpected_keys == []
    assert result.missing_keys == ["head.linear.weight", "head.linear.bias"]
    block, theirs = net.stages[2][4], "blocks.3.res_blocks.4.branch2"
    assert torch.equal(block.look.weight, state[f"{theirs}.conv_b.weight"])
    assert torch.equal(block.norm3.running_var, state[f"{theirs}.norm_c.running_var"])
    assert torch.equal(
        block.squeeze.expand.bias, state[f"{theirs}.norm_b.1.block.2.bias"]
    )
    assert torch.equal(net.stem_time.weight, state["blocks.0.conv.conv_xy.weight"])


def test_checkpoint_around_the_state(state):
    plain = convert_pytorchvideo_state(state)
    around = convert_pytorchvideo_state({"model_state": state, "epoch": 3})
    assert list(around) == list(plain)


@pytest.mark.parametrize("n_chans", [1, 2, 4, 6])
def test_equal_planes_give_what_three_planes_gave(state, n_chans):
    full = X3D(3, 6, (2, 16, 16)).stem_space
    other = X3D(n_chans, 6, (2, 16, 16)).stem_space
    name = "stem_space.weight"
    full.weight.data = convert_pytorchvideo_state(state)[name]
    other.weight.data = convert_pytorchvideo_state(state, n_chans=n_chans)[name]
    plane = torch.randn(1, 1, 2, 16, 16)
    if n_chans % 3 == 0 or n_chans == 1:
        torch.testing.assert_close(
            other(plane.expand(-1, n_chans, -1, -1, -1)),
            full(plane.expand(-1, 3, -1, -1, -1)),
        )
    expected = state["blocks.0.conv.conv_t.weight"]
    if n_chans > 1:
        torch.testing.assert_close(
            other.weight[:, -1], expected[:, (n_chans - 1) % 3] * 3 / n_chans
        )


def test_trained_planes_stay(state):
    weights = convert_pytorchvideo_state(state, n_chans=3)
    assert weights["stem_space.weight"] is state["blocks.0.conv.conv_t.weight"]


@pytest.mark.parametrize(
    "name", ["layer1.0.weight", "blocks.1.res_blocks.0.branch3.weight", "blocks.6.a.b"]
)
def test_unknown_names(name):
    with pytest.raises(ValueError, match=f"'{name}' is no weight of PyTorchVideo's"):
        convert_pytorchvideo_state({name: torch.zeros(1)})
