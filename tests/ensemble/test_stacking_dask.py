"""The same stack on a Dask cluster, through joblib's backend."""

import joblib
import numpy as np
import pytest
from joblib.parallel import ThreadingBackend
from logged import Logged, count_fits
from sklearn.model_selection import GroupKFold
from soft_labels import SoftForestlike, make_votes

from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.model_selection import oof_predict_proba

distributed = pytest.importorskip("distributed")

X, Y, PATIENT = make_votes(n_rows=90, n_patients=9)


@pytest.fixture(scope="module", params=[False, True], ids=["threads", "processes"])
def client(request):
    cluster = distributed.LocalCluster(
        n_workers=1 if request.param else 2,
        threads_per_worker=1,
        processes=request.param,
        dashboard_address=None,
        silence_logs=50,
    )
    with cluster, distributed.Client(cluster) as client:
        yield client
    assert cluster.status.name == "closed"


def stack_of(**kwargs):
    members = [
        ("a", SoftForestlike(random_state=1)),
        ("b", SoftForestlike(random_state=2)),
    ]
    return StackingKLClassifier(
        members, cv=GroupKFold(3), store_oof=True, random_state=0, **kwargs
    )


@pytest.mark.parametrize("refit", [True, False])
def test_the_cluster_gives_what_this_process_gives(client, refit, capsys):
    here = stack_of(refit=refit).fit(X, Y, groups=PATIENT)
    with joblib.parallel_config(backend="dask"):
        there = stack_of(refit=refit, verbose=1).fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(there.oof_, here.oof_)
    np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(X))
    assert there.kl_ == here.kl_
    # Told from this process, where a notebook shows it.
    assert capsys.readouterr().out.count("rows held out") == 6


def test_the_fits_run_on_the_workers(client, tmp_path):
    log, folder = str(tmp_path / "fits.txt"), tmp_path / "memory"
    members = [("a", Logged(random_state=1, log=log))]
    stack = StackingKLClassifier(members, cv=GroupKFold(3), memory=folder)
    with joblib.parallel_config(backend="dask"):
        first = stack.fit(X, Y, groups=PATIENT).predict_proba(X)
    assert count_fits(log) == 4
    # What the workers have finished is read where no cluster is.
    again = stack.fit(X, Y, groups=PATIENT).predict_proba(X)
    assert count_fits(log) == 4
    np.testing.assert_array_equal(first, again)


def test_out_of_fold_predictions(client):
    member = SoftForestlike(random_state=1)
    here = oof_predict_proba(member, X, Y, groups=PATIENT, cv=3)
    with joblib.parallel_config(backend="dask"):
        there = oof_predict_proba(member, X, Y, groups=PATIENT, cv=3)
    np.testing.assert_array_equal(there, here)


def test_errors_come_back(client):
    stack = stack_of().set_params(a__classes="infer")
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(ValueError, match="member 'a' has the classes"),
    ):
        stack.fit(X, Y, groups=PATIENT)


def test_a_backend_that_hands_over_all_at_once(capsys):
    """Some have no results one by one; progress comes at the end then."""

    class AllAtOnce(ThreadingBackend):
        supports_return_generator = False

    here = stack_of().fit(X, Y, groups=PATIENT)
    with joblib.parallel_config(backend=AllAtOnce(), n_jobs=2):
        there = stack_of(verbose=1).fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(there.oof_, here.oof_)
    assert capsys.readouterr().out.count("rows held out") == 6
