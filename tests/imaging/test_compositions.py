"""The pictures of the published solutions, put together from public parts.

Each test composes what one solution feeds its network, and compares with arrays that
are cut and joined by hand.
"""

import librosa
import numpy as np
import pytest
from scipy.signal import spectrogram
from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageStandardizer,
    ImageTiler,
    KaggleSpectrogramImager,
    PanelStatistics,
    PlaneContrast,
    WaveformImager,
    WindowUnion,
)
from hmsklearn.preprocessing import CentreCrop, MontageTransformer, NaNImputer
from hmsklearn.signal import resize_images
from hmsklearn.spectrogram import (
    MelSpectrogramizer,
    STFTSpectrogramizer,
    WaveletScalogramizer,
)

# Bands narrower than the transform's bins, as the solutions had them.
pytestmark = pytest.mark.filterwarnings("ignore:.*has no content:UserWarning")


@pytest.fixture(scope="module")
def eeg():
    """One window of 18 derivations, 50 s."""
    rng = np.random.default_rng(0)
    return 30 * rng.normal(size=(1, 18, 10_000)).astype(np.float32)


@pytest.fixture(scope="module")
def rows(hms_root):
    return load_hms(hms_root, "train").data.iloc[:1]


def plain_stft(**params):
    return STFTSpectrogramizer(output="linear", exponent=1, **params)


def test_2nd_place_film(eeg):
    """Frames of 10 s, then of 50 s, as three equal planes."""
    X = eeg[:, :16]
    common = {"n_fft": 512, "win_length": 128, "n_bins": 61, "clip": (0, 10_000)}
    zoom = plain_stft(hop_length=10, scale=1000, **common)
    whole = plain_stft(hop_length=50, scale=1000, **common)
    film = make_pipeline(
        WindowUnion(
            [("zoom", make_pipeline(CentreCrop(10), zoom)), ("whole", whole)],
            join="planes",
        ),
        ImageTiler("planes", n_planes=3, frames=True),
    ).fit_transform(X)
    assert film.shape == (1, 3, 32, 61, 201)
    closer = zoom.fit_transform(X[..., 4000:6000])
    for plane in range(3):
        np.testing.assert_array_equal(film[:, plane, :16], closer)
        np.testing.assert_array_equal(film[:, plane, 16:], whole.fit_transform(X))


def test_2nd_place_one_image(eeg):
    stft = plain_stft(n_fft=512, win_length=512, hop_length=50, n_bins=56)
    image = make_pipeline(stft, ImageTiler(n_planes=3)).fit_transform(eeg[:, :16])
    assert image.shape == (1, 3, 16 * 56, 201)
    np.testing.assert_array_equal(
        image[:, 1], stft.fit_transform(eeg[:, :16]).reshape(1, 896, 201)
    )


#: Neighbours of each of the 3rd place's 16 derivations (left and right take turns) in
#: the ring of outer and inner chain.
NEIGHBOURS = [
    *([2, 8], [3, 9], [4, 0], [5, 1], [6, 2], [7, 3], [14, 4], [15, 5]),
    *([10, 0], [11, 1], [12, 8], [13, 9], [14, 10], [15, 11], [6, 12], [7, 13]),
]


def three_planes(picture, order):
    """A stack, relative to all others, and to its neighbours, as planes."""
    tiles = ImageTiler([[i] for i in order])
    return make_pipeline(
        picture,
        WindowUnion(
            [
                ("itself", tiles),
                ("others", make_pipeline(PlaneContrast(), tiles)),
                ("neighbours", make_pipeline(PlaneContrast(NEIGHBOURS), tiles)),
            ],
            join="planes",
        ),
    )


def contrasts_by_hand(x, order):
    others = [[j for j in range(16) if j != i] for i in range(16)]
    planes = [x, x - x[:, others].mean(axis=2), x - x[:, NEIGHBOURS].mean(axis=2)]
    stacked = [plane[:, order].reshape(1, -1, x.shape[-1]) for plane in planes]
    return np.stack(stacked, axis=1)


def test_3rd_place_stack_and_three_planes(eeg):
    X = eeg[:, :16]
    stack = make_pipeline(
        MelSpectrogramizer(hop_length=39, fmin=0.53, fmax=40, width_multiple=1),
        ImageTiler(),
    )
    assert stack.fit_transform(X).shape == (1, 1, 2048, 257)
    mel = MelSpectrogramizer(
        n_fft=512, n_mels=64, fmin=0.53, fmax=30, hop_length=32, width_multiple=1
    )
    left_then_right = [*range(0, 16, 2), *range(1, 16, 2)]
    image = three_planes(mel, left_then_right).fit_transform(X)
    assert image.shape == (1, 3, 1024, 313)
    expected = contrasts_by_hand(mel.fit_transform(X), left_then_right)
    np.testing.assert_allclose(image, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("n_times", "win_length", "hop_length", "width"),
    [(2800, 32, 8, 602), (2400, 16, 4, 852), (2400, 8, 2, 1452)],
)
def test_3rd_place_zoomed_centre(eeg, n_times, win_length, hop_length, width):
    X = eeg[:, :16]
    bands = {"n_mels": 64, "fmin": 0.53, "fmax": 30, "width_multiple": 1}
    mel = MelSpectrogramizer(n_fft=512, hop_length=32, top_db=100, **bands)
    closer = MelSpectrogramizer(
        n_fft=2048, win_length=win_length, hop_length=hop_length, top_db=100, **bands
    )
    zoom = make_pipeline(CentreCrop(n_times=n_times), closer)
    union = WindowUnion([("whole", mel), ("zoom", zoom)], join="centre", replace=0.2)
    image = three_planes(union, range(16)).fit_transform(X)
    assert image.shape == (1, 3, 1024, width)
    whole, middle = mel.fit_transform(X), zoom.fit_transform(X)
    joined = np.concatenate([whole[..., :125], middle, whole[..., 187:]], axis=-1)
    expected = contrasts_by_hand(joined, list(range(16)))
    np.testing.assert_allclose(image, expected, atol=1e-5)


def readers(*steps_of_eeg, panels=None, **params):
    """EEG and spectrogram of the same rows."""
    eeg = make_pipeline(
        HMSReader(), NaNImputer(), MontageTransformer("double_banana_16"), *steps_of_eeg
    )
    spectrogram = make_pipeline(
        HMSReader(view="spectrogram"), KaggleSpectrogramImager(panels, **params)
    )
    return eeg, spectrogram


def mel_of(height, width, seconds):
    hop = seconds * 200 // width
    return make_pipeline(
        CentreCrop(seconds),
        MelSpectrogramizer(
            n_fft=1024 * height // 128,
            n_mels=height,
            hop_length=hop,
            fmin=0.5,
            fmax=30,
            width_multiple=width,
        ),
    )


def test_4th_place_positions_in_chains_as_planes(rows):
    """Plane p is a stack of the p-th derivation of each chain."""
    eeg, panels = readers(mel_of(96, 192, 40))
    by_position = np.arange(16).reshape(4, 4).T[:, :, None]
    nearest = ImageResizer((96, 192), mode="nearest")
    union = WindowUnion(
        [
            ("eeg", make_pipeline(eeg, ImageTiler(by_position))),
            ("panels", make_pipeline(panels, nearest, ImageTiler(n_planes=4))),
        ]
    )
    image = union.fit_transform(rows)
    assert image.shape == (1, 4, 384, 384)
    derivations, organisers = eeg.fit_transform(rows), panels.fit_transform(rows)
    for plane in range(4):
        left = derivations[:, plane::4].reshape(1, 384, 192)
        np.testing.assert_array_equal(image[:, plane, :, :192], left)
        right = resize_images(organisers, (96, 192), "nearest").reshape(1, 384, 192)
        np.testing.assert_array_equal(image[:, plane, :, 192:], right)


def test_4th_place_chains_as_slices(rows):
    """One frame for each chain: four derivations beside the chain's panel."""
    eeg, panels = readers(mel_of(96, 192, 40))
    chains = np.arange(16).reshape(4, 4, 1)
    film = WindowUnion(
        [
            ("eeg", make_pipeline(eeg, ImageTiler(chains, frames=True))),
            (
                "panels",
                make_pipeline(
                    panels, ImageResizer((384, 192)), ImageTiler("planes", frames=True)
                ),
            ),
        ]
    ).fit_transform(rows)
    assert film.shape == (1, 1, 4, 384, 384)
    derivations = eeg.fit_transform(rows)
    for chain in range(4):
        own = derivations[:, 4 * chain : 4 * chain + 4].reshape(1, 384, 192)
        np.testing.assert_array_equal(film[:, 0, chain, :, :192], own)


def test_4th_place_hemispheres_side_by_side(rows):
    eeg, panels = readers(mel_of(64, 128, 30))
    # LL is 0 to 3, RL 4 to 7, LP 8 to 11, RP 12 to 15.
    sides = [[i, i + 4] for i in (*range(4), *range(8, 12))]
    union = WindowUnion(
        [
            ("eeg", make_pipeline(eeg, ImageTiler(sides))),
            (
                "panels",
                make_pipeline(
                    panels,
                    ImageResizer((256, 128), mode="nearest"),
                    ImageTiler([["LL", "RL"], ["LP", "RP"]], names=PANELS),
                ),
            ),
        ]
    )
    image = union.fit_transform(rows)
    assert image.shape == (1, 1, 512, 512)
    derivations = eeg.fit_transform(rows)
    left = derivations[:, [*range(4), *range(8, 12)]].reshape(1, 512, 128)
    np.testing.assert_array_equal(image[:, 0, :, :128], left)


PANELS = ["LL", "RL", "LP", "RP"]


def test_4th_place_chains_beside_the_organisers(rows):
    mel = MelSpectrogramizer(hop_length=64, width_multiple=1)
    in_decibel = {"width": 100, "output": "db", "standardize": None}
    eeg, panels = readers(mel, ChainMean("double_banana_16"), **in_decibel)
    size = ImageResizer((512, 256))
    union = WindowUnion(
        [
            ("eeg", make_pipeline(eeg, ImageTiler(), size)),
            ("panels", make_pipeline(panels, ImageTiler(), size)),
        ]
    )
    image = union.fit_transform(rows)
    assert image.shape == (1, 1, 512, 512)
    chains = eeg.fit_transform(rows)
    assert chains.shape == (1, 4, 128, 157)
    left = resize_images(chains.reshape(1, 1, 512, 157), (512, 256))
    np.testing.assert_array_equal(image[..., :256], left)
    right = panels.fit_transform(rows).reshape(1, 1, 400, 100)
    np.testing.assert_array_equal(image[..., 256:], resize_images(right, (512, 256)))
    power = HMSReader(view="spectrogram").fit_transform(rows)[..., 100:200]
    expected = librosa.power_to_db(power[0, 0], ref=np.max)
    np.testing.assert_allclose(right[0, 0, :100], expected, atol=1e-4)


def test_5th_place_24_tiles(rows):
    """Chains, derivations and the organisers' panels as one mosaic."""
    eeg, panels = readers(MelSpectrogramizer(), panels=["LL", "LP", "RL", "RP"])
    chains = make_pipeline(eeg, ChainMean("double_banana_16"))
    tall = make_pipeline(panels, ImageTiler("planes", size=(128, 256)))
    union = WindowUnion(
        [("chains", chains), ("derivations", eeg), ("panels", tall)], join="planes"
    )
    planes = union.fit_transform(rows)
    assert planes.shape == (1, 24, 128, 256)
    image = ImageTiler((4, 6)).fit_transform(planes)
    assert image.shape == (1, 1, 512, 1536)
    np.testing.assert_array_equal(image[0, 0, 128:256, 256:512], planes[0, 7])
    names = union.get_feature_names_out()
    assert names[[0, 4, 20]].tolist() == [
        "chains__LL",
        "derivations__Fp1-F7",
        "panels__LL",
    ]


def test_6th_place_mosaic(eeg):
    """142 frames of 70 samples, 4 chains of 4 derivations."""
    X = eeg[:, :16]
    pipe = make_pipeline(
        STFTSpectrogramizer(
            convention="scipy",
            n_fft=256,
            win_length=70,
            noverlap=0,
            n_bins=128,
            output="log1p",
            scale=2,
        ),
        ImageTiler((4, 4)),
    )
    image = pipe.fit_transform(X)
    assert image.shape == (1, 1, 512, 568)
    _, _, power = spectrogram(X.astype(float), 200, nperseg=70, noverlap=0, nfft=256)
    tiles = np.log1p(power[:, :, :128]) / 2
    expected = np.block([[tiles[0, 4 * i + j] for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(image[0, 0], expected, atol=1e-5)
    assert ImageResizer(518).fit_transform(image).shape == (1, 1, 518, 518)


def cusignal(nperseg, noverlap):
    return STFTSpectrogramizer(
        convention="cusignal",
        win_length=nperseg,
        noverlap=noverlap,
        fmin=0.5,
        fmax=20.0,
        output="log1p",
    )


def by_hand(x, nperseg, noverlap, trim=0):
    hertz, _, power = spectrogram(
        x.astype(float), 200, nperseg=nperseg, noverlap=noverlap
    )
    kept = power[:, :, (hertz >= 0.5) & (hertz <= 20)]
    return np.log1p(kept[..., trim : kept.shape[-1] - trim])


LENGTHS = {50: slice(None), 30: slice(2000, 8000), 10: slice(4000, 6000)}


@pytest.mark.parametrize(
    ("views", "shape"),
    [
        ([(50, 145, 124, 3), (10, 145, 141, 0)], (504, 464)),
        ([(30, 145, 133, 12), (10, 145, 141, 0)], (504, 464)),
        ([(50, 99, 79, 10), (30, 99, 87, 8), (10, 100, 96, 0)], (504, 476)),
    ],
)
def test_7th_place_views_on_top_of_each_other(eeg, views, shape):
    """Views of each derivation, then the next derivation; zeros around."""
    union = WindowUnion(
        [
            (
                f"{seconds}s",
                make_pipeline(
                    CentreCrop(seconds),
                    cusignal(nperseg, noverlap),
                    ImageTiler("planes", trim=trim),
                ),
            )
            for seconds, nperseg, noverlap, trim in views
        ],
        join="height",
    )
    pipe = make_pipeline(union, ImageTiler(size=512), ImageStandardizer(eps=1e-15))
    image = pipe.fit_transform(eeg)
    parts = [
        by_hand(eeg[..., LENGTHS[seconds]], nperseg, noverlap, trim)
        for seconds, nperseg, noverlap, trim in views
    ]
    stack = np.concatenate(parts, axis=2).reshape(shape)
    expected = np.zeros((512, 512))
    top, left = (512 - shape[0]) // 2, (512 - shape[1]) // 2
    expected[top : top + shape[0], left : left + shape[1]] = stack
    expected = (expected - expected.mean()) / expected.std()
    assert image.shape == (1, 1, 512, 512)
    np.testing.assert_allclose(image[0, 0], expected, atol=1e-4)


def test_7th_place_50_seconds(eeg):
    pipe = make_pipeline(cusignal(270, 251), ImageTiler(trim=(0, 1), size=512))
    image = pipe.fit_transform(eeg)
    assert image.shape == (1, 1, 512, 512)
    stack = by_hand(eeg, 270, 251).reshape(486, 513)
    np.testing.assert_allclose(image[0, 0, 13:499], stack[:, :512], atol=1e-5)
    assert (image[0, 0, [0, 12, 499, 511]] == 0).all()


@pytest.mark.parametrize(
    ("widths", "size"), [((93,), (512, 384)), ((93, 13), (512, 448))]
)
def test_7th_place_grid(rng, widths, size):
    """Multitaper images of 18 derivations on a 5 x 4 grid, 50 s or 50 s and 10 s."""
    parts = [rng.normal(size=(1, 18, 100, width)) for width in widths]
    planes = np.concatenate(parts, axis=-1)
    image = ImageTiler((5, 4), size=size).fit_transform(planes)
    assert image.shape == (1, 1, *size)
    width = sum(widths)
    left = (size[1] - 4 * width) // 2
    for number, plane in enumerate(planes[0]):
        row, column = divmod(number, 4)
        place = image[0, 0, 6 + 100 * row :, left + width * column :]
        np.testing.assert_array_equal(place[:100, :width], plane)
    assert (image[0, 0, 406:506, left + 2 * width :] == 0).all()


def test_15th_place_folded_stack(rng):
    planes = rng.normal(size=(1, 24, 56, 431)).astype(np.float32)
    image = ImageTiler(fold=2).fit_transform(planes)
    assert image.shape == (1, 1, 672, 862)
    np.testing.assert_array_equal(image[0, 0], planes.reshape(672, 862))


def test_15th_place_ten_panels(rows):
    """Four panels, their six differences, ten minutes, one mean and deviation."""
    read = HMSReader(view="spectrogram")
    imager = KaggleSpectrogramImager(
        differences="power", clip=(-7, 10), width=None, standardize="window"
    )
    images = make_pipeline(read, imager).fit_transform(rows)
    assert images.shape == (1, 10, 100, 300)
    x = read.fit_transform(rows)[0].astype(float)
    assert np.isfinite(x).all()
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    planes = np.stack([*x, *(x[i] - x[j] for i, j in pairs)])
    levels = np.log(np.clip(planes, np.exp(-7), np.exp(10)))
    expected = (levels - levels.mean()) / (levels.std() + 1e-6)
    np.testing.assert_allclose(images[0], expected, atol=1e-3)


@pytest.mark.parametrize("bundled", [False, True])
def test_narai_scalograms(rng, bundled):
    """Wavelets as MNE scales them; one mean for the EEG, another for the EKG."""
    X = 30 * rng.normal(size=(1, 19, 10_000))
    X[:, 18] *= 100
    step = 0.25 if bundled else 0.7
    scalograms = WaveletScalogramizer(
        freqs=np.arange(0.5, 20.1 if bundled else 20.0, step),
        n_cycles=7,
        hop_length=14,
        scaling="mne",
        output="log",
        eps=1e-30,
    )
    ekg = "double_banana_ekg"
    bundles = WindowUnion(
        [("chains", ChainMean(ekg, chains=None)), ("ekg", ImageTiler([[18]]))],
        join="planes",
    )
    n_eeg = 5 if bundled else 18
    images = make_pipeline(
        scalograms,
        bundles if bundled else "passthrough",
        ImageStandardizer(per=[range(n_eeg), [n_eeg]]),
    ).fit_transform(X)
    assert images.shape == ((1, 6, 79, 715) if bundled else (1, 19, 28, 715))
    levels = scalograms.fit_transform(X)[0]
    if bundled:
        chains = [levels[4 * i : 4 * i + 4].mean(axis=0) for i in range(4)]
        levels = np.stack([*chains, levels[16:18].mean(axis=0), levels[18]])
    for part in (slice(n_eeg), slice(n_eeg, None)):
        x = levels[part]
        np.testing.assert_allclose(
            images[0, part], (x - x.mean()) / (x.std() + 1e-6), atol=1e-6
        )


def test_three_bands_as_planes(eeg):
    """Three mels at once, each a stack, as the three planes of a picture."""
    X = eeg[:, :12]
    views = [
        (
            name,
            make_pipeline(
                MelSpectrogramizer(
                    hop_length=33, fmin=low, fmax=high, width_multiple=304
                ),
                ImageTiler(),
            ),
        )
        for name, low, high in (("all", 0, 100), ("slow", 0.5, 20), ("low", 0, 30))
    ]
    image = WindowUnion(views, join="planes").fit_transform(X)
    assert image.shape == (1, 3, 12 * 128, 304)
    np.testing.assert_array_equal(image[:, 1:2], views[1][1].fit_transform(X))


def test_10th_place_spectrograms_and_traces(eeg):
    """50 s, the central 10 s and the samples themselves, one above the other."""
    size = ImageResizer((256, 512))
    union = WindowUnion(
        [
            ("whole", make_pipeline(MelSpectrogramizer(), ImageTiler(), size)),
            (
                "centre",
                make_pipeline(CentreCrop(10), MelSpectrogramizer(), ImageTiler(), size),
            ),
            ("traces", make_pipeline(WaveformImager(), size)),
        ],
        join="height",
    )
    assert union.fit_transform(eeg).shape == (1, 1, 768, 512)


def test_cranjis_mcb_features(rows):
    """Panels and what they have in common, or their percentiles, as one picture."""
    imager = KaggleSpectrogramImager(["LL", "LP", "RL", "RP"])
    read = make_pipeline(HMSReader(view="spectrogram"), imager)
    panels = read.fit_transform(rows)
    beside = make_pipeline(
        read,
        PanelStatistics(output="appended"),
        ImageTiler((4, 2), order="columns"),
    ).fit_transform(rows)
    assert beside.shape == (1, 1, 400, 512)
    np.testing.assert_array_equal(beside[0, 0, :, :256], panels.reshape(400, 256))
    np.testing.assert_array_equal(beside[0, 0, :100, 256:], panels[0].min(axis=0))
    columns = make_pipeline(
        read,
        PanelStatistics((20, 40, 60, 80), over="time", output="appended"),
        ImageTiler(),
    ).fit_transform(rows)
    assert columns.shape == (1, 1, 400, 260)
    expected = np.percentile(panels, [20, 40, 60, 80], axis=3).transpose(1, 2, 3, 0)
    np.testing.assert_allclose(
        columns[0, 0, :, 256:], expected.reshape(400, 4), atol=1e-5
    )


def test_one_chain_mean_of_everything(eeg):
    """The public notebooks: 18 derivations, four chains, 128 x 256."""
    pipe = make_pipeline(MelSpectrogramizer(), ChainMean(), ImageTiler("row"))
    assert pipe.fit_transform(eeg).shape == (1, 1, 128, 1024)
