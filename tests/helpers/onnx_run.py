"""Run a net as the exchange format for inference would."""

import io
import warnings

import pytest
import torch


def run_exported(net, example, x):
    """Export for windows like the example, then run on any number of others."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of itself
        torch.onnx.export(
            net,
            (example,),
            file,
            dynamo=False,
            input_names=["x"],
            output_names=["logits"],
            dynamic_axes={"x": {0: "n"}, "logits": {0: "n"}},
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(file.getvalue(), options)
    return torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
