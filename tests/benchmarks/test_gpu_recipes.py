"""The benchmark of full recipes runs, at the small scale, on a CPU."""

import gpu_recipes
import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


def test_small_form(capsys):
    gpu_recipes.main(["--smoke", "--nets", "1", "mkanna"])
    title, header, line = capsys.readouterr().out.splitlines()
    assert title == "3 steps of each net, small scale, CPU"
    values = line.split()
    assert values[0] == "mkanna"
    figures = dict(zip(header.split()[-6:], values[-6:], strict=True))
    assert float(figures["windows/s"]) > 0
    assert figures["batch"] == "8"
    assert 0 < float(figures["loss"]) < 10


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what lacks without a GPU")
def test_a_gpu_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        gpu_recipes.main(["mkanna"])
    assert "needs a CUDA device" in capsys.readouterr().err
