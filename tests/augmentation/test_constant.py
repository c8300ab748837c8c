"""Numbers that are kept on a device."""

import torch

from hmsklearn.augmentation._random import constant


def test_equal_numbers_of_other_types_are_other_tensors():
    device = torch.device("cpu")
    assert constant((2.0, 1.0, 0.0), device).dtype == torch.float32
    assert constant((2, 1, 0), device).dtype == torch.int64
    assert constant((True, False), device).dtype == torch.bool
    assert constant((1, 0), device).dtype == torch.int64
    assert constant((2, 1, 0), device) is constant((2, 1, 0), device)
