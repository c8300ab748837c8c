"""The benchmark of training on a GPU runs, in its small form, on a CPU."""

import re

import gpu_training
import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


def test_small_form(capsys):
    gpu_training.main(["--smoke"])
    lines = capsys.readouterr().out.splitlines()
    for case in gpu_training.SMOKE:
        (line,) = (line for line in lines if line.startswith(case.name))
        ratio = re.search(r"([\d.]+)x", line)
        assert float(ratio[1]) > 0
        # Both have learned the same from the same batches.
        assert float(line.split()[-1]) <= 1e-4
    assert any(line.startswith("montage, filter, mel") for line in lines)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what lacks without a GPU")
def test_a_gpu_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        gpu_training.main([])
    assert "needs a CUDA device" in capsys.readouterr().err
