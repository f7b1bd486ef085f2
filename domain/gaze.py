"""Directions of gaze: two angles, or a unit vector.

The axes are those of a camera in front of the eye: x to the right of the image, y down, z away from
the camera, so an eye that looks into the camera has the direction (0, 0, −1). Yaw is positive towards
the image's left, pitch is positive upwards, as in MPIIGaze (Zhang et al. 2015, arXiv 1504.02863).
"""

from __future__ import annotations

import numpy as np


def direction(angles: np.ndarray) -> np.ndarray:
    """Yaw and pitch in degrees, (N, 2), to unit vectors (N, 3)."""
    yaw, pitch = np.radians(np.asarray(angles, np.float64)).T
    return -np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], 1)


def angles(vectors: np.ndarray) -> np.ndarray:
    """Vectors of any length but 0, (N, 3), to yaw and pitch in degrees, (N, 2)."""
    x, y, z = np.asarray(vectors, np.float64).T
    return np.degrees(np.stack([np.arctan2(-x, -z), np.arctan2(-y, np.hypot(x, z))], 1))
