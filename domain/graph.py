"""Labels from the neighbourhood graph of all samples, labelled or not (Zhou et al. 2004).

With very few labels the graph knows more than they do. Where label spreading is surest it is nearly
always right, so those samples can serve as labelled ones.
"""

from __future__ import annotations

import functools

import joblib
import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

COMPONENTS = 64  # principal components in which neighbours are sought: much faster than all pixels, and no worse
KEPT = 4  # graphs of a process: seeds that differ in their labels alone share one, and it costs a minute on MNIST
_graphs: dict[tuple[int, bool, str, str], csr_matrix] = {}


def affinity(a: np.ndarray, b: np.ndarray, neighbours: int) -> csr_matrix:
    """A kernel for scikit-learn's label spreading: 1 between neighbours in either direction, (N_a, N_b).

    Its own kernel ``knn`` keeps one direction, which on MNIST is twice as often wrong. For samples b that
    are not in the graph a, their neighbours among a. The last few graphs are kept, by the samples' bytes.
    """
    key = (neighbours, a is b, joblib.hash(a), joblib.hash(b))
    if key not in _graphs:
        while len(_graphs) >= KEPT:
            del _graphs[next(iter(_graphs))]
        _graphs[key] = neighbourhood(a, b, neighbours)
    return _graphs[key]


def neighbourhood(a: np.ndarray, b: np.ndarray, neighbours: int) -> csr_matrix:
    """The matrix of :func:`affinity`, found anew."""
    inside = a is b
    search = NearestNeighbors(n_neighbors=min(neighbours, len(a) - inside), algorithm="brute").fit(a)
    graph = search.kneighbors_graph(None if inside else b)
    return graph.maximum(graph.T).tocsr() if inside else graph.T.tocsr()


def spread(x: np.ndarray, label: np.ndarray, neighbours: int = 10, alpha: float = 0.99) -> np.ndarray:
    """Class probabilities of every sample by label spreading, (N, K).

    Args:
        x: samples (N, …).
        label: (N,) classes from 0 to K − 1, every one present, −1 where unlabelled.
        neighbours: edges of each sample in the graph.
        alpha: how far labels spread, in (0, 1).
    """
    flat = x.reshape(len(x), -1)
    codes = PCA(min(COMPONENTS, *flat.shape), svd_solver="covariance_eigh").fit_transform(flat)
    kernel = functools.partial(affinity, neighbours=neighbours)
    model = LabelSpreading(kernel=kernel, alpha=alpha, max_iter=1000)
    return model.fit(codes.astype(np.float32), label).label_distributions_


def surest(probabilities: np.ndarray, label: np.ndarray, each: int) -> np.ndarray:
    """Labels (N,) of the given ones and of the ``each`` surest samples of every class, −1 elsewhere.

    Sureness is the margin between the two likeliest classes.

    Args:
        probabilities: (N, K), from :func:`spread`.
        label: (N,), −1 where unlabelled; given labels stay.
        each: how many samples of a class.
    """
    likeliest, ordered = probabilities.argmax(1), np.sort(probabilities, 1)
    margin = ordered[:, -1] - ordered[:, -2]
    chosen = np.full(len(label), -1, np.int64)
    for k in range(probabilities.shape[1]):
        rows = np.flatnonzero(likeliest == k)
        chosen[rows[np.argsort(-margin[rows], kind="stable")[:each]]] = k
    return np.where(label >= 0, label, chosen)
