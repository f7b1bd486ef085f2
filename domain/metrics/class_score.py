"""The Inception score (Salimans et al. 2016, arXiv 1606.03498, section 4), with the domain's own classifier."""

from __future__ import annotations

import numpy as np
from scipy.special import rel_entr

from domain.errors import InputError


def class_score(probabilities: np.ndarray, splits: int = 10) -> dict[str, float]:
    """exp of the mean KL(p(y|x) ‖ p(y)): high where each sample is of a sure class, and all classes occur.

    It lies between 1 and K, does not see whether a class holds one image or many, and is never comparable
    with a published Inception score. What real samples score stands beside it as the mark to reach.

    Args:
        probabilities: p(y|x) of each sample, (N, K), in any order that does not sort them by class.
        splits: the score is measured on so many parts of the rows, as published.

    Returns:
        ``class_score``, the mean over the parts; ``class_score_spread``, the standard deviation.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not 1 <= splits <= len(p):
        raise InputError(f"class score: probabilities of shape {p.shape} in {splits} parts; give (N, K), N at least that")
    if not (p >= 0).all() or not np.allclose(p.sum(1), 1, atol=1e-4):
        raise InputError("class score: rows of 'probabilities' are no distributions; give what a classifier's softmax gives")
    scores = [np.exp(rel_entr(part, part.mean(0)).sum(1).mean()) for part in np.array_split(p, splits)]
    return {"class_score": float(np.mean(scores)), "class_score_spread": float(np.std(scores))}
