"""ImageTiler."""

import numpy as np
import pytest
import torch

from hmsklearn.imaging import ImageTiler


@pytest.fixture
def planes(rng):
    return rng.normal(size=(2, 4, 3, 5)).astype(np.float32)


def both(step, X):
    """The result of arrays, which that of tensors has to equal."""
    result = step.fit(X).transform(X)
    tensor = step.transform(torch.from_numpy(X))
    np.testing.assert_array_equal(tensor.numpy(), result)
    assert result.dtype == X.dtype
    return result


def test_words(planes):
    column = both(ImageTiler(), planes)
    np.testing.assert_array_equal(column[:, 0], planes.reshape(2, 12, 5))
    row = both(ImageTiler("row"), planes)
    np.testing.assert_array_equal(
        row[:, 0], np.concatenate(list(planes.swapaxes(0, 1)), -1)
    )
    np.testing.assert_array_equal(both(ImageTiler("planes"), planes), planes)


def test_grids(planes):
    result = both(ImageTiler((2, 2)), planes)
    for x, y in zip(planes, result[:, 0], strict=True):
        np.testing.assert_array_equal(y, np.block([[x[0], x[1]], [x[2], x[3]]]))
    result = both(ImageTiler((3, 2), order="columns", fill=7.0), planes)
    empty = np.full((3, 5), 7.0)
    for x, y in zip(planes, result[:, 0], strict=True):
        expected = np.block([[x[0], x[3]], [x[1], empty], [x[2], empty]])
        np.testing.assert_array_equal(y, expected)


def test_panels_by_name(planes):
    files = ["LL", "RL", "LP", "RP"]
    wanted = [["LL"], ["LP"], ["RL"], ["RP"]]
    result = both(ImageTiler(wanted, names=files), planes)
    np.testing.assert_array_equal(
        result[:, 0], planes[:, [0, 2, 1, 3]].reshape(2, 12, 5)
    )
    np.testing.assert_array_equal(
        both(ImageTiler([["LL", None, "LL"]], names=files), planes)[:, 0, :, 10:],
        planes[:, 0],
    )


def test_several_mosaics(planes):
    step = ImageTiler([[[0, 1]], [[3, 3]]])
    result = both(step, planes)
    assert result.shape == (2, 2, 3, 10)
    np.testing.assert_array_equal(result[:, 1, :, 5:], planes[:, 3])
    assert step.layout_.tolist() == [[[0, 1]], [[3, 3]]]
    assert step.get_feature_names_out().tolist() == ["mosaic0", "mosaic1"]
    array = both(ImageTiler(np.array([[[0, 1]], [[3, 3]]])), planes)
    np.testing.assert_array_equal(array, result)
    ranges = both(ImageTiler([range(0, 2), range(2, 4)]), planes)
    np.testing.assert_array_equal(ranges, both(ImageTiler((2, 2)), planes))


def test_equal_planes_and_frames(planes):
    step = ImageTiler(n_planes=3)
    result = both(step, planes)
    assert result.shape == (2, 3, 12, 5)
    for plane in range(3):
        np.testing.assert_array_equal(result[:, plane], planes.reshape(2, 12, 5))
    assert len(step.get_feature_names_out()) == 3
    film = ImageTiler("planes", n_planes=3, frames=True)
    result = both(film, planes)
    assert result.shape == (2, 3, 4, 3, 5)
    for plane in range(3):
        np.testing.assert_array_equal(result[:, plane], planes)
    assert len(film.get_feature_names_out()) == 3
    mosaics = both(ImageTiler([[[0, 1]], [[3, 3]]], frames=True), planes)
    assert mosaics.shape == (2, 1, 2, 3, 10)
    np.testing.assert_array_equal(mosaics[:, 0, 1, :, :5], planes[:, 3])


def test_trim_fold_and_canvas(planes):
    step = ImageTiler(trim=(1, 0), fold=2, size=(8, 9), fill=-1.0)
    inner = planes[..., 1:].reshape(2, 6, 8)
    result = both(step, planes)
    np.testing.assert_array_equal(result[:, 0, 1:7, :8], inner)
    assert (result[:, 0, 0] == -1).all()
    assert (result[:, 0, 7] == -1).all()
    assert (result[..., 8] == -1).all()
    result = both(step.set_params(align="start"), planes)
    np.testing.assert_array_equal(result[:, 0, :6, :8], inner)
    np.testing.assert_array_equal(
        both(ImageTiler("planes", trim=2), planes), planes[..., 2:-2]
    )


def test_nan_stays_one_pixel(planes):
    planes[1, 2, 0, 4] = np.nan
    result = ImageTiler(n_planes=2).fit_transform(planes)
    assert np.argwhere(np.isnan(result)).tolist() == [[1, 0, 6, 4], [1, 1, 6, 4]]


def test_other_sizes_later(planes):
    step = ImageTiler((2, 2), size=12).fit(planes)
    assert step.transform(planes[..., :2]).shape == (2, 1, 12, 12)
    wide = np.tile(planes, 2)
    for X in (wide, torch.from_numpy(wide)):
        with pytest.raises(ValueError, match=r"6 x 20, larger than size=\(12, 12\)"):
            step.transform(X)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"layout": "stack"}, "layout must be 'column', 'row', 'planes'"),
        ({"layout": (1, 3)}, r"layout=\(1, 3\) has 3 tiles, X has 4 planes"),
        ({"layout": (2, 2, 1)}, "layout must be"),
        ({"layout": (0, 4)}, "layout must be"),
        ({"layout": 4}, "layout must be"),
        ({"layout": [0, 1]}, "layout must be .*rows of tiles such as"),
        ({"layout": [[0, 1], [2]]}, "layout must be"),
        ({"layout": []}, "layout must be"),
        ({"layout": [[]]}, "layout must be"),
        ({"layout": [[None]]}, "shows no plane at all"),
        ({"layout": [[0, 4]]}, "position from 0 to 3.*got 4"),
        ({"layout": [[0, -1]]}, "position from 0 to 3.*got -1"),
        ({"layout": [[0, True]]}, "position from 0 to 3.*got True"),
        ({"layout": [["LL"]]}, "Say with names="),
        ({"layout": [["LX"]], "names": ["LL", "RL", "LP", "RP"]}, "'LX'.*Nearest: "),
        ({"names": ["a", "b"]}, "names must be a list of 4 different names"),
        ({"names": ["a", "b", "c", "a"]}, "names must be a list of 4 different names"),
        ({"names": 5}, "names must be a list of 4 different names.*got 5"),
        ({"names": [[0], [1], [2], [3]]}, "names must be a list of 4 different names"),
        ({"names": "abcd"}, "names must be a list of 4 different names"),
        ({"order": "C"}, "order must be one of 'rows', 'columns'"),
        ({"trim": -1}, "trim must be an integer at least 0"),
        ({"trim": (1, 2, 3)}, "trim must be a number of columns or a pair"),
        ({"trim": 3}, "leaves nothing of images of 5 columns"),
        ({"fold": 5}, "fold=5 does not divide the 12 rows"),
        ({"fold": 0}, "fold must be an integer at least 1"),
        ({"size": (11, 5)}, r"mosaic is 12 x 5, larger than size=\(11, 5\)"),
        ({"size": (12, 0)}, "size .width. must be an integer at least 1"),
        ({"align": "end"}, "align must be one of 'centre', 'start'"),
        ({"fill": np.nan}, "fill must be a finite number"),
        ({"n_planes": 0}, "n_planes must be an integer at least 1"),
        ({"layout": "planes", "n_planes": 3}, "repeats a single mosaic"),
        ({"frames": "yes"}, "frames must be True or False"),
    ],
)
def test_errors_come_in_fit(planes, params, text):
    with pytest.raises(ValueError, match=f"^ImageTiler: .*{text}"):
        ImageTiler(**params).fit(planes)


def test_wrong_number_of_axes(planes):
    with pytest.raises(ValueError, match=r"ImageTiler: X has 3 dimensions"):
        ImageTiler().fit(planes[0])
