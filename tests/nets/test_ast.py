import pytest
import timm
import torch
from timm.models.vision_transformer import Block

from hmsklearn.nets import AST, create_net, load_vit_weights, net_config
from hmsklearn.neural._weights import load_weights


def n_parameters(width, n_patches, *, depth=12, n_chans=1, n_outputs=6, patch=16):
    """Closed form: patches, two tokens, positions, blocks, norms, head."""
    patches = n_chans * patch**2 * width + width
    positions = (n_patches + 2) * width
    attention = (3 * width**2 + 3 * width) + (width**2 + width)
    mlp = (4 * width**2 + 4 * width) + (4 * width**2 + width)
    block = attention + mlp + 2 * 2 * width
    head = width * n_outputs + n_outputs
    return patches + 2 * width + positions + depth * block + 2 * 2 * width + head


@pytest.mark.parametrize(
    ("size", "stride", "grid"),
    [
        # Table of the paper: 1212 patches with an overlap of 6, 512 without.
        ((128, 1024), 10, (12, 101)),
        ((128, 1024), 16, (8, 64)),
        ((128, 1024), 12, (10, 85)),
        ((128, 256), (10, 16), (12, 16)),
        ((16, 16), 10, (1, 1)),
        ((25, 26), 10, (1, 2)),
    ],
)
def test_number_of_patches(size, stride, grid):
    with torch.device("meta"):
        net = AST(1, 6, size, embed_dim=12, depth=1, n_heads=3, stride=stride)
        maps = net.patch_embed(torch.zeros(1, 1, *size))
    assert net.grid_size == grid
    assert maps.shape[2:] == grid
    assert net.pos_embed.shape == (1, grid[0] * grid[1] + 2, 12)


@pytest.mark.parametrize(
    ("name", "width", "n_heads"),
    [("ast_tiny", 192, 3), ("ast_small", 384, 6), ("ast_base", 768, 12)],
)
def test_registered_sizes(name, width, n_heads):
    with torch.device("meta"):
        net = create_net(name, 1, 6, (128, 1024))
    assert net_config(name).ndim == 4
    assert net.num_features == width
    assert len(net.blocks) == 12
    assert {block.attn.num_heads for block in net.blocks} == {n_heads}
    assert all(isinstance(block, Block) for block in net.blocks)
    count = sum(p.numel() for p in net.parameters())
    assert count == n_parameters(width, 1212)
    if name == "ast_base":
        # ViT-B/16 has 86 567 656 with 1000 classes, three planes and 197 positions.
        vit = 86_567_656 - 1000 * 769 - 2 * 256 * 768 + (1214 - 197) * 768
        assert count == vit + 768 + 2 * 768 + 6 * 769
        # The paper's 87 million have 527 classes.
        assert round((count + (527 - 6) * 769) / 1e6) == 87


def test_order_of_patches_matters_through_the_positions_alone():
    torch.manual_seed(0)
    net = AST(1, 6, (16, 48), embed_dim=24, depth=2, n_heads=3, stride=16).eval()
    x = torch.randn(2, 1, 16, 48)
    swapped = torch.cat([x[..., 16:32], x[..., :16], x[..., 32:]], dim=-1)
    assert not torch.allclose(net(x), net(swapped), atol=1e-4)
    with torch.no_grad():
        net.pos_embed.zero_()
    torch.testing.assert_close(net(x), net(swapped))


def test_features_are_the_mean_of_two_tokens():
    torch.manual_seed(0)
    net = AST(2, 6, (16, 36), embed_dim=24, depth=2, n_heads=3).eval()
    x = torch.randn(3, 2, 16, 36)
    patches = [
        torch.einsum("ncij,dcij->nd", x[..., i : i + 16], net.patch_embed.weight)
        + net.patch_embed.bias
        for i in (0, 10, 20)
    ]
    tokens = [net.cls_token[:, 0].expand(3, -1), net.dist_token[:, 0].expand(3, -1)]
    out = torch.stack([*tokens, *patches], dim=1) + net.pos_embed
    for block in net.blocks:
        out = block(out)
    out = net.norm(out)
    expected = net.head_norm((out[:, 0] + out[:, 1]) / 2)
    torch.testing.assert_close(net.forward_features(x), expected)
    torch.testing.assert_close(net(x), net.head(expected))


def test_without_distillation_token():
    net = AST(1, 6, (16, 36), embed_dim=24, depth=1, n_heads=3, distilled=False).eval()
    assert net.dist_token is None
    assert net.pos_embed.shape[1] == 3 + 1
    assert net.no_weight_decay() == {"cls_token", "pos_embed"}
    assert net(torch.randn(2, 1, 16, 36)).shape == (2, 6)


def test_initial_weights():
    torch.manual_seed(0)
    net = AST(1, 6, (64, 128), embed_dim=96, depth=2, n_heads=3)
    for weight in (net.pos_embed, net.blocks[0].attn.qkv.weight):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not net.blocks[0].mlp.fc1.bias.any()
    assert torch.equal(net.blocks[0].norm1.weight, torch.ones(96))
    assert net.norm.eps == net.blocks[0].norm1.eps == 1e-6


def test_drop_rates():
    net = AST(
        1,
        6,
        (16, 36),
        embed_dim=24,
        depth=3,
        n_heads=3,
        drop_rate=0.1,
        drop_path_rate=0.2,
    )
    assert net.drop.p == net.blocks[0].mlp.drop1.p == 0.1
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in net.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2])


def test_layer_groups():
    net = AST(1, 6, (16, 36), embed_dim=24, depth=3, n_heads=3)
    groups = net.layer_groups()
    assert len(groups) == 1 + 3 + 1
    assert "patch_embed.weight" in groups[0]
    assert "blocks.2.mlp.fc1.weight" in groups[3]
    assert {"norm.weight", "head_norm.weight", "head.weight"} < set(groups[-1])
    names = [name for name, _ in net.named_parameters()]
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert net.group_matcher()("blocks.0.attn.qkv.bias") == 1
    assert net.no_weight_decay() == {"cls_token", "dist_token", "pos_embed"}


class TestWrongParameters:
    @pytest.mark.parametrize("size", [(15, 64), (64, 15)])
    def test_too_small(self, size):
        with pytest.raises(ValueError, match=r"smaller than a patch; at least \(16,"):
            AST(1, 6, size, embed_dim=12, depth=1, n_heads=3)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"n_heads": 5}, "embed_dim=12 must be a multiple of n_heads=5"),
            ({"depth": 0}, "depth=0 at least 1"),
            ({"stride": 0}, "stride=0 must be one or two positive"),
            ({"patch_size": (4, 4, 4)}, r"patch_size=\(4, 4, 4\) must be one or two"),
            ({"drop_rate": 1.0}, r"drop_rate=1\.0 must be at least 0 and below 1"),
        ],
    )
    def test_parameters(self, params, message):
        with pytest.raises(ValueError, match=message):
            AST(1, 6, (16, 36), **{"embed_dim": 12, "depth": 1, "n_heads": 3, **params})

    def test_one_axis(self):
        with pytest.raises(ValueError, match="number of frequencies and of steps"):
            AST(1, 6, (64,))


class TestVitWeights:
    def vit(self, name="deit_tiny_distilled_patch16_224", **params):
        torch.manual_seed(0)
        params = {"depth": 2, "img_size": 96, **params}
        vit = timm.create_model(name, **params).eval()
        # Positions that tell where they are, and norms that are not those of a new net.
        torch.nn.init.normal_(vit.pos_embed)
        torch.nn.init.normal_(vit.norm.weight)
        return vit

    def net(self, size=(96, 96), n_chans=3, **params):
        torch.manual_seed(1)
        params = {"embed_dim": 192, "depth": 2, "n_heads": 3, "stride": 16, **params}
        return AST(n_chans, 6, size, **params).eval()

    def test_without_overlap_it_is_the_deit(self):
        vit, net = self.vit(), self.net()
        load_vit_weights(net, vit.state_dict())
        x = torch.randn(2, 3, 96, 96)
        with torch.no_grad():
            expected = net.head_norm(vit.forward_features(x)[:, :2].mean(dim=1))
            torch.testing.assert_close(net.forward_features(x), expected)

    def test_without_distillation_it_is_the_vit(self):
        vit = self.vit("vit_tiny_patch16_224")
        net = self.net(distilled=False)
        load_vit_weights(net, vit.state_dict())
        x = torch.randn(2, 3, 96, 96)
        with torch.no_grad():
            expected = net.head_norm(vit.forward_features(x)[:, 0])
            torch.testing.assert_close(net.forward_features(x), expected)

    def test_positions_are_cut_and_interpolated(self):
        # 6 x 6 positions, wanted 2 x 11: the two middle rows, columns stretched.
        vit = self.vit()
        net = self.net((32, 176))
        assert net.grid_size == (2, 11)
        load_vit_weights(net, vit.state_dict())
        grid = vit.pos_embed[0, 2:].reshape(6, 6, 192).detach()
        mine = net.pos_embed[0, 2:].reshape(2, 11, 192).detach()
        assert torch.equal(net.pos_embed[0, :2], vit.pos_embed[0, :2])
        place = ((torch.arange(11) + 0.5) * 6 / 11 - 0.5).clamp(0, 5)
        left = place.floor().long().clamp(max=4)
        share = (place - left)[None, :, None]
        middle = grid[2:4]
        expected = middle[:, left] * (1 - share) + middle[:, left + 1] * share
        torch.testing.assert_close(mine, expected)

    def test_a_grid_that_is_longer_is_cut_alone(self):
        vit, net = self.vit(), self.net((64, 32))
        load_vit_weights(net, vit.state_dict())
        grid = vit.pos_embed[0, 2:].reshape(6, 6, 192)
        mine = net.pos_embed[0, 2:].reshape(4, 2, 192)
        assert torch.equal(mine, grid[1:5, 2:4])

    def test_planes(self):
        vit = self.vit()
        kernel = vit.patch_embed.proj.weight
        one, five = self.net(n_chans=1), self.net(n_chans=5)
        load_vit_weights(one, vit.state_dict())
        torch.testing.assert_close(one.patch_embed.weight, kernel.sum(1, keepdim=True))
        load_vit_weights(five, vit.state_dict())
        repeated = torch.cat([kernel, kernel[:, :2]], dim=1) * 3 / 5
        torch.testing.assert_close(five.patch_embed.weight, repeated)
        four = self.vit(in_chans=4)
        with pytest.raises(ValueError, match="kernels of 4 planes cannot be adapted"):
            load_vit_weights(one, four.state_dict())

    def test_tokens_that_one_side_lacks(self):
        deit, vit = self.vit(), self.vit("vit_tiny_patch16_224")
        with_token, without = self.net(), self.net(distilled=False)
        torch.nn.init.normal_(vit.cls_token)
        load_vit_weights(with_token, vit.state_dict())
        assert torch.equal(with_token.dist_token, vit.cls_token)
        assert torch.equal(with_token.pos_embed[:, 1], vit.pos_embed[:, 0])
        assert torch.equal(with_token.pos_embed[:, 2:], vit.pos_embed[:, 1:])
        load_vit_weights(without, deit.state_dict())
        assert torch.equal(without.cls_token, deit.cls_token)
        assert torch.equal(without.pos_embed[:, 1:], deit.pos_embed[:, 2:])

    def test_the_head_stays(self):
        vit, net = self.vit(), self.net()
        before = net.head.weight.clone()
        load_vit_weights(net, vit.state_dict())
        assert torch.equal(net.head.weight, before)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"depth": 3}, "blocks.2.norm1.weight is missing"),
            ({"depth": 1}, "blocks.1.norm1.weight has no place"),
            ({"embed_dim": 96}, "has shape .* in place of"),
            ({"patch_size": 8}, r"patch_embed.weight has shape \(192, 3, 16, 16\)"),
        ],
    )
    def test_another_architecture(self, params, message):
        net = self.net(**params)
        before = {key: value.clone() for key, value in net.state_dict().items()}
        with pytest.raises(ValueError, match=message):
            load_vit_weights(net, self.vit().state_dict())
        assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)

    def test_no_vision_transformer(self):
        with pytest.raises(ValueError, match=r"have no 'patch_embed\.proj\.weight'"):
            load_vit_weights(self.net(), {"fc.weight": torch.zeros(2)})

    def test_no_square_grid(self):
        vit = self.vit("vit_tiny_patch16_224", img_size=(96, 64))
        with pytest.raises(ValueError, match="25 position embeddings are not those"):
            load_vit_weights(self.net(), vit.state_dict())


class TestWeightsOfSounds:
    """Names and sizes of Transformers' ASTForAudioClassification."""

    def state(self, width=12, n_blocks=2, n_patches=12 * 101):
        start, sizes = "audio_spectrogram_transformer.", {}
        for name in ("cls_token", "distillation_token"):
            sizes[f"{start}embeddings.{name}"] = (1, 1, width)
        positions = (1, n_patches + 2, width)
        sizes[f"{start}embeddings.position_embeddings"] = positions
        layers = {f"{start}embeddings.patch_embeddings.projection": (width, 1, 16, 16)}
        for i in range(n_blocks):
            block = f"{start}encoder.layer.{i}."
            for name in ("query", "key", "value"):
                layers[f"{block}attention.attention.{name}"] = (width, width)
            layers[f"{block}attention.output.dense"] = (width, width)
            layers[f"{block}intermediate.dense"] = (4 * width, width)
            layers[f"{block}output.dense"] = (width, 4 * width)
            layers[f"{block}layernorm_before"] = layers[f"{block}layernorm_after"] = (
                width,
            )
        layers[f"{start}layernorm"] = layers["classifier.layernorm"] = (width,)
        layers["classifier.dense"] = (527, width)
        for name, size in layers.items():
            sizes[f"{name}.weight"], sizes[f"{name}.bias"] = size, size[:1]
        generator = torch.Generator().manual_seed(0)
        return {k: 0.3 * torch.randn(s, generator=generator) for k, s in sizes.items()}

    def net(self, size=(128, 1024), **params):
        return AST(1, 6, size, **{"embed_dim": 12, "depth": 2, "n_heads": 3, **params})

    def test_features_are_those_of_its_formula(self):
        state, net = self.state(), self.net().eval()
        head = net.head.weight.clone()
        load_vit_weights(net, state)
        assert torch.equal(net.head.weight, head)
        functional = torch.nn.functional

        def get(name):
            name = f"audio_spectrogram_transformer.{name}"
            return state[f"{name}.weight"], state[f"{name}.bias"]

        def norm(x, name):
            return functional.layer_norm(x, (12,), *get(name), eps=1e-6)

        x = torch.randn(2, 1, 128, 1024, generator=torch.Generator().manual_seed(1))
        start = "audio_spectrogram_transformer.embeddings."
        weight, bias = get("embeddings.patch_embeddings.projection")
        patches = functional.conv2d(x, weight, bias, stride=10).flatten(2)
        tokens = [
            state[f"{start}{name}"] for name in ("cls_token", "distillation_token")
        ]
        x = torch.cat([*(t.expand(2, 1, 12) for t in tokens), patches.mT], dim=1)
        x = x + state[f"{start}position_embeddings"]
        for i in range(2):
            block = f"encoder.layer.{i}."
            y = norm(x, f"{block}layernorm_before")
            heads = (
                functional.linear(y, *get(f"{block}attention.attention.{name}"))
                for name in ("query", "key", "value")
            )
            q, k, v = (h.reshape(2, -1, 3, 4).transpose(1, 2) for h in heads)
            weights = torch.softmax(q @ k.mT / 4**0.5, dim=-1)
            y = (weights @ v).transpose(1, 2).flatten(2)
            x = x + functional.linear(y, *get(f"{block}attention.output.dense"))
            y = norm(x, f"{block}layernorm_after")
            y = functional.linear(y, *get(f"{block}intermediate.dense"))
            x = x + functional.linear(functional.gelu(y), *get(f"{block}output.dense"))
        pooled = norm(x, "layernorm")[:, :2].mean(dim=1)
        expected = functional.layer_norm(
            pooled,
            (12,),
            state["classifier.layernorm.weight"],
            state["classifier.layernorm.bias"],
        )
        with torch.no_grad():
            torch.testing.assert_close(
                net.forward_features(
                    torch.randn(
                        2, 1, 128, 1024, generator=torch.Generator().manual_seed(1)
                    )
                ),
                expected,
                rtol=1e-4,
                atol=1e-5,
            )

    def test_shorter_spectrograms_take_the_middle(self):
        state, net = self.state(), self.net((128, 256))
        load_vit_weights(net, state)
        name = "audio_spectrogram_transformer.embeddings.position_embeddings"
        grid = state[name][0, 2:].reshape(12, 101, 12)
        assert net.grid_size == (12, 25)
        mine = net.pos_embed[0, 2:].reshape(12, 25, 12)
        assert torch.equal(mine, grid[:, 38:63])

    def test_files_of_weights(self, tmp_path):
        path = tmp_path / "ast.pt"
        torch.save(self.state(), path)
        net, same = self.net(), self.net()
        load_weights(net, str(path), name="ast_base", caller="test")
        load_vit_weights(same, self.state())
        for key, value in same.state_dict().items():
            if not key.startswith("head."):
                assert torch.equal(net.state_dict()[key], value), key

    def test_another_stride(self):
        with pytest.raises(ValueError, match="1212 patches do not fill 15 rows"):
            load_vit_weights(self.net(stride=8), self.state())

    def test_incomplete(self):
        state = self.state()
        gone = "encoder.layer.1.attention.attention.key.weight"
        del state[f"audio_spectrogram_transformer.{gone}"]
        with pytest.raises(ValueError, match=r"key'\] are missing for blocks\.1"):
            load_vit_weights(self.net(), state)
        state = self.state(n_blocks=1)
        with pytest.raises(ValueError, match=r"blocks\.1\.norm1\.weight is missing"):
            load_vit_weights(self.net(), state)
