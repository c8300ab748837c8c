"""Files of weights: the one that is meant, read without running what is in it."""

import os

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from hmsklearn.neural._weight_files import find_files, read_state

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def found(folder, names=("net",), parts=()):
    files = find_files(folder, names, dict(parts), caller="me")
    return {place: path.name for place, path in files.items()}


class TestFolder:
    def test_one_file(self, tmp_path):
        touch(tmp_path, "any.pth", "notes.txt", "half.part")
        assert found(str(tmp_path)) == {"": "any.pth"}

    def test_by_the_name_of_the_net(self, tmp_path):
        touch(tmp_path, "net.safetensors", "other.pth", "model.safetensors")
        assert found(tmp_path) == {"": "net.safetensors"}
        assert found(tmp_path, ["timm", "other.in1k"]) == {"": "other.pth"}

    def test_name_with_a_tag(self, tmp_path):
        touch(tmp_path, "net.ra_in1k.bin", "another.bin")
        assert found(tmp_path) == {"": "net.ra_in1k.bin"}

    def test_snapshot_of_a_hub(self, tmp_path):
        touch(tmp_path, "pytorch_model.bin", "training_args.bin", "config.json")
        assert found(tmp_path) == {"": "pytorch_model.bin"}
        touch(tmp_path, "model.safetensors")
        assert found(tmp_path) == {"": "model.safetensors"}

    def test_one_for_each_part(self, tmp_path):
        touch(tmp_path, "b0.pth", "neck.pth", "x.pth")
        parts = {"encoder": "b0", "neck": "neck"}
        assert found(tmp_path, parts=parts) == {"encoder": "b0.pth", "neck": "neck.pth"}
        touch(tmp_path, "net.pth")
        assert found(tmp_path, parts=parts) == {"": "net.pth"}

    def test_several(self, tmp_path):
        touch(tmp_path, "a.pth", "b.pt")
        with pytest.raises(
            FileNotFoundError,
            match=r"me: .* or one named 'net'; it has 2 that could be meant: "
            r"'a\.pth', 'b\.pt'\. Give the file's path",
        ):
            found(tmp_path)
        touch(tmp_path, "net.pth", "net.safetensors")
        with pytest.raises(FileNotFoundError, match=r"'net\.pth', 'net\.safetensors'"):
            found(tmp_path)

    def test_none(self, tmp_path):
        (tmp_path / "net.pth").mkdir()
        with pytest.raises(FileNotFoundError, match="it has none"):
            found(tmp_path)


def same(state, expected=STATE):
    return state.keys() == expected.keys() and all(
        torch.equal(state[name], value) for name, value in expected.items()
    )


class TestReading:
    @pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.bin"])
    def test_torch(self, tmp_path, name):
        torch.save(STATE, tmp_path / name)
        assert same(read_state(tmp_path / name, caller="me"))

    def test_torch_before_version_1_6(self, tmp_path):
        torch.save(STATE, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
        assert same(read_state(tmp_path / "w.pth", caller="me"))

    def test_safetensors(self, tmp_path):
        safetensors.torch.save_file(STATE, tmp_path / "w.safetensors")
        assert same(read_state(tmp_path / "w.safetensors", caller="me"))

    @pytest.mark.parametrize(
        "place", ["state_dict", "model", "model_state", "module", "state_dict_ema"]
    )
    def test_checkpoints_of_others(self, tmp_path, place):
        optimizer = {"state": {}, "param_groups": [{"lr": 0.1}]}
        checkpoint = {"epoch": 3, "optimizer": optimizer, place: STATE}
        torch.save(checkpoint, tmp_path / "w.pth")
        assert same(read_state(tmp_path / "w.pth", caller="me"))

    def test_averaged_weights_go_first(self, tmp_path):
        other = {name: value + 1 for name, value in STATE.items()}
        torch.save({"state_dict": other, "state_dict_ema": STATE}, tmp_path / "w.pth")
        assert same(read_state(tmp_path / "w.pth", caller="me"))

    @pytest.mark.parametrize(
        "prefix", ["module.", "module.module.", "_orig_mod.", "module._orig_mod."]
    )
    def test_wrappers(self, tmp_path, prefix):
        torch.save({f"{prefix}{k}": v for k, v in STATE.items()}, tmp_path / "w.pth")
        assert same(read_state(tmp_path / "w.pth", caller="me"))

    def test_compiled_inside(self, tmp_path):
        torch.save({"body._orig_mod.weight": torch.ones(1)}, tmp_path / "w.pth")
        assert list(read_state(tmp_path / "w.pth", caller="me")) == ["body.weight"]

    def test_checkpoint_of_an_estimator(self, waveform, data, tmp_path):
        clf = waveform(checkpoint=tmp_path, ema=0.9, early_stopping=True)
        clf.fit(data.X, data.votes, groups=data.groups)
        [path] = tmp_path.iterdir()
        # It holds numbers of numpy, which torch alone refuses.
        expected = torch.load(path, weights_only=False)["state"]["module"]
        assert "body.head.weight" in expected
        assert same(read_state(path, caller="me"), expected)


class Code:
    """What runs when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


class TestRefused:
    def test_code_is_not_run(self, tmp_path):
        made = tmp_path / "made"
        torch.save({"state_dict": STATE, "x": Code(str(made))}, tmp_path / "w.pth")
        with pytest.raises(ValueError, match=r"me: .*w\.pth' cannot be read"):
            read_state(tmp_path / "w.pth", caller="me")
        assert not made.exists()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({}, "found dict"),
            ([torch.ones(2)], "found list"),
            (torch.ones(2), "found Tensor"),
            ({"weight": 1.0}, r"found \['weight'\]"),
            ({"state_dict": {"weight": [1.0]}}, r"found \['weight'\]"),
        ],
    )
    def test_no_state_dict(self, tmp_path, content, message):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(ValueError, match=f"holds no state dict .{message}"):
            read_state(tmp_path / "w.pth", caller="me")

    def test_cut_off(self, tmp_path):
        torch.save(nn.Linear(50, 50).state_dict(), tmp_path / "w.pth")
        whole = (tmp_path / "w.pth").read_bytes()
        (tmp_path / "w.pth").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match="cannot be read"):
            read_state(tmp_path / "w.pth", caller="me")


def test_reading_leaves_torch_as_it_was(tmp_path):
    before = set(torch.serialization.get_safe_globals())  # torch keeps no order
    torch.save({"state": {"module": STATE, "loss": np.float64(1)}}, tmp_path / "w.pth")
    assert same(read_state(tmp_path / "w.pth", caller="me"))
    assert set(torch.serialization.get_safe_globals()) == before
