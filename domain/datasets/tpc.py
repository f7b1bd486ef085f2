"""Pad responses of a time projection chamber: 5,000 events of the MPD experiment's detailed simulation.

The data behind Eur. Phys. J. C 81, 599 (2021). One event is what a track leaves on one row of pads: an amplitude for
each pad and bin of time. The text file has two lines an event,

    params: crossing angle, dip angle, drift length, pad coordinate, pad row, transverse momentum
      pad, time bin, amplitude, and so on for every hit

with angles in degrees and lengths in pads and bins of time. It is ``data/data_v4plus_shortFixedPt/raw/digits.dat`` of
the repository SiLiKhon/TPC-FastSim, which carries no licence: the file is not downloaded, each user names a copy.

An image is the window about the point where the track crosses the row. Where that point lies in its pad and in its bin
of time moves the response, so both fractions are conditions; the number of the pad moves nothing. Pad row and
transverse momentum hardly vary and are left out. Amplitudes below 0.9 are suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.config import Config
from domain.datasets.raw import find, not_found, sampled
from domain.errors import InputError
from domain.files import digest, readable
from domain.samples import About, Samples

NAMES = ("data_v4plus_shortFixedPt_digits.dat", "digits.dat")
SHA256 = "a8b7abda5d989a91ed9d65e52423fd2d510af1c22348e7f157d73b4625163455"
PADS, TIMES = 8, 16
PAD, TIME = 3, 7  # where in the window the crossing point's own pad and bin stand
MOST = 1e5  # well above the largest amplitude, 11,650; no saturation is seen


def read_events(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 16) float32 and conditions (n, 5) of a file.

    Raises:
        InputError: the file has another layout, or a hit outside the window.
    """
    with readable(path, "a file of events of two lines, 'params: …' and hits"):
        lines = path.read_text().splitlines()
        recorded = np.array([line.removeprefix("params:").split() for line in lines[::2]], float)
        hits = [np.array(line.split(), float).reshape(-1, 3) for line in lines[1::2]]
        if len(hits) != len(recorded):
            raise ValueError(f"{len(lines)} lines, an odd number")
        crossing, dip, drift, pad, _, _ = recorded.T
        image = np.zeros((len(recorded), PADS, TIMES), np.float32)
        for k, (pads, times, amplitudes) in enumerate(each.T for each in hits):
            rows, columns = pads - np.floor(pad[k]) + PAD, times - np.floor(drift[k]) + TIME
            if not (((rows >= 0) & (rows < PADS)).all() and ((columns >= 0) & (columns < TIMES)).all()):
                raise InputError(f"{path}: event {k} has hits outside its window of {PADS}×{TIMES}; replace the file")
            image[k, rows.astype(int), columns.astype(int)] = amplitudes
    return image, np.stack([crossing, dip, drift, pad % 1, drift % 1], 1)


@dataclass(frozen=True)
class Tpc(Config):
    """Responses of 8 pads in 16 bins of time; it has no parameters."""

    def about(self) -> About:
        return About(
            kind="shower",
            range=(0, MOST),
            condition=("crossing_angle", "dip_angle", "drift_length", "pad_offset", "time_offset"),
            units=("degree", "degree", "time bin", "pad", "time bin"),
            producer="datasets.tpc",
        )

    def load(self, folders: Sequence[Path], progress: bool = False) -> Samples:
        """x: (N, 128) float32, image rows (pads) one after the other; condition: (N, 5); no split."""
        path = find("tpc", NAMES, folders)
        if path is None:
            missing = not_found("tpc", NAMES, folders)
            raise InputError(f"{missing}; it cannot be downloaded: put a copy of your own there")
        if (found := digest(path)) != SHA256:
            raise InputError(f"{path}: has the SHA-256 {found}, not {SHA256}; put the file of 5,000 events there")
        image, condition = read_events(path)
        return sampled(self.about(), [path], image.reshape(len(image), -1), condition=condition)
