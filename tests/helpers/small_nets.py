"""A small form of every registered net, which trains in a second on one core."""

from dataclasses import dataclass, field
from typing import Any

from hmsklearn.nets import create_net


@dataclass(frozen=True)
class Small:
    """Shape of one window, and parameters that make the net small."""

    shape: tuple[int, ...]
    params: dict[str, Any] = field(default_factory=dict)
    checkpointing: bool = True
    lr: float = 1e-2

    def make(self, name, n_outputs=6):
        size = self.shape[1] if len(self.shape) == 2 else self.shape[1:]
        return create_net(name, self.shape[0], n_outputs, size, **self.params)


#: One block a stage, 8 to 64 maps.
X3D = {"depth_factor": 0.2, "width_factor": 0.34, "head_width": 32, "drop_rate": 0.0}

#: One block, without dropout.
SQUEEZEFORMER = {
    **{"width": 8, "n_blocks": 1, "n_heads": 2, "kernel_size": 5},
    **{"input_dropout": 0.0, "dropout": 0.0},
}

#: Ten images make a set in the published net, two here.
MIL = {"backbone": "test_resnet", "hidden": 16, "drop_rate": 0.0}

AST = {"embed_dim": 24, "depth": 2, "n_heads": 3, "patch_size": 8, "stride": 6}

SMALL = {
    "ast_base": Small((1, 20, 36), AST, lr=1e-3),
    "ast_small": Small((1, 20, 36), AST, lr=1e-3),
    "ast_tiny": Small((1, 20, 36), AST, lr=1e-3),
    "eegnet": Small((4, 128), {"sfreq": 50.0, "drop_rate": 0.1}),
    "gru": Small((4, 100), {"width": 8, "hidden_size": 8}, False),
    "lstm": Small((4, 100), {"width": 8, "hidden_size": 8}, False),
    "mobilenet1d": Small(
        (4, 64), {"n_chains": 2, "width": 4, "kernels": (3, 5), "n_blocks": 1}
    ),
    "multi_kernel_bigru": Small(
        (4, 100),
        {
            "kernels": (3, 7),
            "kernel_maps": 4,
            "width": 8,
            "n_blocks": 3,
            "gru_hidden": 8,
        },
    ),
    "node_attention": Small(
        (4, 64),
        {
            "ekg": True,
            "widths": (4, 8),
            "kernels": (3,),
            "hidden_size": 16,
            "drop_rate": 0.1,
        },
    ),
    "resnet1d_gru": Small((4, 300), {"width": 8, "gru_hidden": 8, "gru_stride": 5}),
    "squeezeformer": Small((4, 320), SQUEEZEFORMER),
    "squeezeformer_196": Small((4, 320), SQUEEZEFORMER),
    "symmetric_net": Small(
        (8, 64), {"width": 8, "kernels": (3, 5), "n_blocks": 1, "similarity_width": 4}
    ),
    "timm": Small((2, 32, 48), {"backbone": "test_efficientnet"}),
    "wavenet": Small((4, 64), {"widths": (4, 8), "n_dilations": (4, 2)}),
    "chain_neck": Small(
        (4, 32, 32),
        {
            "backbone": "test_efficientnet",
            "neck": "test_resnet",
            "group_size": 2,
            "n_rows": 16,
            "neck_size": (32, 32),
        },
    ),
    "encoder_2_5d": Small(
        (1, 2, 32, 32),
        {"backbone": "test_resnet", "n_blocks": 2, "width": 16, "drop_rate": 0.0},
    ),
    "mil_attention": Small((2, 32, 32), MIL),
    "mil_attention_films": Small((2, 2, 32, 32), MIL),
    "multi_kernel_2d": Small(
        (4, 128),
        {
            "backbone": "test_efficientnet",
            "kernels": (3, 7),
            "widths": (8, 16),
            "n_blocks": 1,
            "group_size": 2,
            "image_size": (32, 32),
        },
    ),
    "multi_kernel_stem": Small(
        (3, 32, 32),
        {
            "backbone": "test_efficientnet",
            "kernels": (1, 3, 5),
            "n_maps": 2,
            "tile_height": 8,
            "drop_rate": 0.0,
        },
    ),
    "stem_merge": Small(
        (3, 32, 32),
        {
            "backbone": "test_resnet",
            "n_panels": 1,
            "group_size": 2,
            "width": 16,
            "drop_rate": 0.0,
        },
    ),
    "wavenet_2d": Small(
        (4, 128),
        {
            "backbone": "test_efficientnet",
            "widths": (4, 16),
            "n_dilations": (3, 1),
            "group_size": 2,
            "n_steps": 32,
        },
    ),
    "wavenet_image": Small(
        (4, 200),
        {
            "backbone": "test_efficientnet",
            "width": 8,
            "n_blocks": 3,
            "max_dilations": 3,
            "group_size": 2,
            "drop_rate": 0.0,
        },
    ),
    "x3d_l": Small((2, 3, 16, 20), X3D),
    "x3d_m": Small((2, 3, 16, 20), X3D),
    "x3d_s": Small((2, 3, 16, 20), X3D),
    "x3d_xs": Small((2, 3, 16, 20), X3D),
}
