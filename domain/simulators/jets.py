"""Jet images: boosted W bosons against QCD, by Pythia 8 and FastJet.

The settings are those of LAGAN (de Oliveira, Paganini & Nachman 2017, arXiv 1701.05927):
W' → W Z at 800 GeV with W → quarks and Z → neutrinos, against QCD dijets, at 14 TeV. The hardest
anti-kt jet of R = 1 is trimmed (Krohn, Thaler & Wang 2010, arXiv 0912.1342) and kept when its
transverse momentum and mass lie in their windows, and |η| < 2. Its image is centred on the leading
subjet, turned so that the second subjet lies below, and mirrored so that the right side is the brighter.

Where this departs from the authors' own code (github.com/lukedeo/jet-generation):

* Constituents are rotated one by one *before* they are binned. LAGAN bins first and rotates the image
  by cubic splines, which smear it, make pixels below zero and keep neither pT nor mass. Here no pixel is
  interpolated, the image holds the pT of all constituents within its frame, and distances stay as they were.
* Constituents are particles unless ``tower`` is 0.1, the side of LAGAN's calorimeter cells. Its grid and
  the image's, turned against each other, beat: some pixels catch two towers and their neighbours none.
* The principal axis of a jet with one subjet is weighted by pT instead of energy.
* The axes of N-subjettiness: see :func:`measured`.
* QCD partons start at the lower bound of ``pt_hat``, and hopeless events are dropped early: see :class:`Jets`.

The laboratory angles are the pseudorapidity η and the azimuth φ. In an image columns run over the
rotated η from left to right and rows over the rotated φ from top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Annotated, Any, ClassVar

import numpy as np

from domain.config import Config, Count, Fraction, NonNegative, Positive, Range
from domain.errors import InputError
from domain.jet import Jet, aligned, mirrored, pixelised, subjettiness
from domain.randomness import numpy_generator
from domain.samples import About, Samples

CLASSES = ("QCD", "W")
NEUTRINOS = (12, 14, 16)
ACCEPTANCE = 5.0  # the detector's |η|
BATCH = 50  # events a call to Pythia, about 15 MB
EARLY = 10.0  # pT of the emissions in GeV after which a QCD event is looked at first
LENIENCE = 1000  # events dropped early in a row before one is let through, so that Pythia always returns
PATIENCE = 5000  # events in a row without an accepted jet before the windows are called empty


def libraries() -> tuple[ModuleType, ModuleType]:
    """Pythia and FastJet, the latter's banner silenced."""
    try:
        import fastjet
        import pythia8mc
    except ImportError as error:
        message = f"Jets: the package {error.name!r} is missing; run `pip install pythia8mc fastjet`"
        raise InputError(message) from None
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    return pythia8mc, fastjet


def early_veto(low: float, high: float, radius: float, pythia8mc: ModuleType, fastjet: ModuleType) -> Any:
    """A hook by which Pythia drops an event, before most of its work, whose jet will miss the window.

    In QCD the hardest anti-kt jet of partons, with R = ``radius``, once all emissions and interactions above ``EARLY``
    have happened, must have a pT between ``low`` and ``high``, in GeV. A W must have no more than ``high``
    before anything radiates; it may have less, as radiation may then make the hardest jet. Attributes
    ``seen`` and ``dropped`` count events.
    """
    anti_kt = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)

    class Veto(pythia8mc.UserHooks):
        seen = dropped = row = 0

        def canVetoProcessLevel(self) -> bool:
            return True

        def doVetoProcessLevel(self, process: Any) -> bool:
            self.seen += 1
            bosons = [process[k].pT() for k in range(process.size()) if process[k].idAbs() == 24]
            return bool(bosons) and self.drops(bosons[0] > high)

        def canVetoPT(self) -> bool:
            return True

        def scaleVetoPT(self) -> float:
            return EARLY

        def doVetoPT(self, position: int, event: Any) -> bool:
            particles = [event[k] for k in range(event.size())]
            if any(p.idAbs() in (24, 34) for p in particles):
                return False
            partons = [fastjet.PseudoJet(p.px(), p.py(), p.pz(), p.e()) for p in particles if p.isFinal()]
            return self.drops(not low <= anti_kt(partons)[0].pt() <= high)

        def drops(self, hopeless: bool) -> bool:
            drop = hopeless and self.row < LENIENCE
            self.row = self.row + 1 if drop else 0
            self.dropped += drop
            return drop

    return Veto()


def hadrons(card: tuple[str, ...], seed: int, pythia8mc: ModuleType, hook: Any = None) -> Iterator[np.ndarray]:
    """Events without end: (n, 4) px, py, pz, E in GeV of the visible final particles.

    Args:
        card: Pythia's settings, beside its defaults for showers, multiple interactions and hadrons.
        seed: from 1 to 900,000,000.
        hook: one of Pythia's ``UserHooks``.
    """
    import awkward  # FastJet and Pythia hand out its arrays

    pythia = pythia8mc.Pythia("", False)  # without its banner
    for line in ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}", *card):
        pythia.readString(line)
    if hook is not None:
        pythia.setUserHooksPtr(hook)
    if not pythia.init():
        raise InputError(f"Jets: Pythia refuses these settings; mend the keys behind {', '.join(card)}")
    while True:
        particles = pythia.nextBatch(BATCH).prt
        ends = np.cumsum(awkward.num(particles.status))
        particles = awkward.flatten(particles)
        momenta = np.stack([np.asarray(particles.p[axis]) for axis in ("px", "py", "pz", "e")], axis=1)
        kept = (np.asarray(particles.status) > 0) & ~np.isin(np.abs(np.asarray(particles.id)), NEUTRINOS)
        kept &= np.abs(momenta[:, 2]) < np.sinh(ACCEPTANCE) * np.hypot(momenta[:, 0], momenta[:, 1])
        for start, end in zip([0, *ends], ends):
            yield momenta[start:end][kept[start:end]]


def towers(particles: np.ndarray, side: float) -> np.ndarray:
    """(m, 4) px, py, pz, E in GeV of the lit cells of a calorimeter, as massless particles at their centres.

    Args:
        particles: (n, 4) px, py, pz, E in GeV, whose energies add up cell by cell.
        side: of a cell, in rapidity and in φ from 0 to 2π.
    """
    px, py, pz, energy = particles.T
    places = np.stack([np.arctanh(pz / energy), np.arctan2(py, px) % (2 * np.pi)], axis=1)
    cells, cell = np.unique(np.floor(places / side), axis=0, return_inverse=True)
    (eta, phi), energy = (cells + 0.5).T * side, np.bincount(cell.ravel(), energy)
    pt = energy / np.cosh(eta)
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), energy * np.tanh(eta), energy], axis=1)


def trimmed(particles: np.ndarray, settings: Jets, fastjet: ModuleType) -> Any:
    """The hardest anti-kt jet, trimmed, as a FastJet ``PseudoJet`` whose pieces are its subjets.

    Args:
        particles: (n, 4) px, py, pz, E in GeV.
    """
    anti_kt = fastjet.JetDefinition(fastjet.antikt_algorithm, settings.radius)
    trimmer = fastjet.Filter(
        fastjet.JetDefinition(fastjet.kt_algorithm, settings.subjet_radius),
        fastjet.SelectorPtFractionMin(settings.subjet_fraction),
    )
    return trimmer(anti_kt([fastjet.PseudoJet(*momentum) for momentum in particles.tolist()])[0])


def measured(jet: Any, fastjet: ModuleType) -> Jet:
    """What is kept of a trimmed jet.

    The axes of its N-subjettiness are its exclusive kt subjets, without a beam (LAGAN's were
    winner-take-all, refined once). Their angles are averages weighted by pT, so that τ2/τ1 does
    not change when the image is moved or turned.
    """
    particles = jet.constituents()
    constituents = np.array([(p.pt(), p.eta(), p.phi()) for p in particles])
    kt = fastjet.JetDefinition(fastjet.kt_algorithm, fastjet.JetDefinition.max_allowable_R, fastjet.pt_scheme)
    clusters = fastjet.ClusterSequence(list(particles), kt)
    one, two = (
        subjettiness(constituents, np.array([(a.eta(), a.phi()) for a in clusters.exclusive_jets_up_to(n)]))
        for n in (1, 2)
    )
    subjets = fastjet.sorted_by_pt(jet.pieces())
    return Jet(
        mass=jet.m(),
        pt=jet.pt(),
        tau21=two / one if one > 0 else 0.0,
        constituents=constituents,
        subjets=np.array([(subjet.eta(), subjet.phi()) for subjet in subjets]),
    )


@dataclass(frozen=True)
class Jets(Config):
    """Jet images of W bosons (class 1) and of QCD (class 0), half of each.

    Conditions are the mass and transverse momentum of the trimmed jet, in GeV, and τ2/τ1, all
    from its constituents, before they are binned.

    Two cuts spare Pythia most of the events that miss the windows, and leave the windows as they are:

    * ``pt_hat`` begins just below half of the lowest ``pt``. A shower emits nothing harder than its hard
      scatter, so one of pt_hat can give a jet of about 2 pt_hat and no more. A bound beside the window bends
      it: 200 GeV instead of 120 loses 30 % of the QCD jets, those that stand against hard radiation.
    * ``slack``, the window of :func:`early_veto`: 225 to 375 GeV for a ``pt`` of 250 to 300. Of 170 QCD jets of
      20 to 200 GeV that were made without it, none had been below 240 GeV and 0.3 % were above 330 GeV.
      Of 49 W jets none came from a W above 360 GeV.

    Attributes:
        mass: lowest and highest mass of the trimmed jet, in GeV.
        pt: lowest and highest transverse momentum of the trimmed jet, in GeV.
        eta: bound on |η| of the trimmed jet.
        pt_hat: lowest and highest transverse momentum of the two QCD partons, in GeV.
        slack: how far below and above ``pt`` an event may lie early on, as fractions of the bounds.
        beam_energy: energy of the two proton beams together, in GeV.
        resonance: mass of the W', in GeV.
        radius: of the anti-kt jets.
        subjet_radius: of the kt subjets that trimming tries.
        subjet_fraction: a subjet with less of the jet's pT than this is trimmed away.
        pixels: of the image's side.
        half_width: the image spans ± this in η and φ.
        threshold: a pixel below this is set to 0, in GeV.
        tower: side in η and φ of a calorimeter's cells; 0 keeps the particles as they are.
    """

    mass: tuple[NonNegative, Positive] = (60.0, 100.0)
    pt: tuple[Positive, Positive] = (250.0, 300.0)
    eta: Annotated[float, Range(0, ACCEPTANCE, open=True)] = 2.0
    pt_hat: tuple[Annotated[float, Range(20)], Positive] = (120.0, 500.0)
    slack: tuple[Fraction, NonNegative] = (0.1, 0.25)
    beam_energy: Annotated[float, Range(1000)] = 14000.0
    resonance: Annotated[float, Range(200)] = 800.0
    radius: Annotated[float, Range(0, 1, open=True)] = 1.0
    subjet_radius: Positive = 0.3
    subjet_fraction: Fraction = 0.05
    pixels: Count = 25
    half_width: Positive = 1.25
    threshold: NonNegative = 1e-3
    tower: Annotated[float, Range(0, 0.5)] = 0.0

    shard: ClassVar[int] = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("mass", "pt", "pt_hat"):
            low, high = getattr(self, key)
            if low >= high:
                raise InputError(f"Jets.{key}: runs from {low:g} to {high:g}; put the lower bound first")
        if self.pt_hat[0] > self.pt[0] or self.pt_hat[1] < self.pt[1]:
            raise InputError(
                f"Jets.pt_hat: from {self.pt_hat[0]:g} to {self.pt_hat[1]:g} GeV leaves out part of 'pt', "
                f"{self.pt[0]:g} to {self.pt[1]:g} GeV; begin at half the lowest pt or below and end well above the highest"
            )
        if 2 * self.pt_hat[1] > self.beam_energy:
            raise InputError(
                f"Jets.pt_hat: reaches {self.pt_hat[1]:g} GeV, more than beams of "
                f"{self.beam_energy:g} GeV can make; lower it or raise beam_energy"
            )

    @property
    def early(self) -> tuple[float, float]:
        """The window in pT, in GeV, of events that are not dropped early."""
        return self.pt[0] * (1 - self.slack[0]), self.pt[1] * (1 + self.slack[1])

    def about(self) -> About:
        """A pixel holds less than the jet's scalar sum of pT, itself below pT / cos R < 2 pT for R ≤ 1."""
        return About(
            kind="jet",
            range=(0.0, 2 * self.pt[1]),
            classes=len(CLASSES),
            condition=("mass", "pt", "tau21"),
            units=("GeV", "GeV", ""),
            producer="simulators.jets",
            parameters=self.as_dict(),
        )

    def simulate(self, count: int, seed: int) -> Samples:
        """``count`` jets in a shuffled order; an odd one is QCD.

        Returns:
            x (count, 1, pixels, pixels) in GeV, label, and condition (count, 3).
        """
        label = np.arange(count) % len(CLASSES)
        numpy_generator(seed, "order").shuffle(label)
        streams = [self.jets(k, seed) for k in range(len(CLASSES))]
        jets = [next(streams[k]) for k in label]
        images = np.array([self.image(jet) for jet in jets], np.float32)
        condition = np.array([(jet.mass, jet.pt, jet.tau21) for jet in jets], np.float32)
        return Samples(
            x=images.reshape(count, 1, self.pixels, self.pixels),
            about=replace(self.about(), seed=seed),
            label=label,
            condition=condition.reshape(count, 3),
        )

    def image(self, jet: Jet) -> np.ndarray:
        """(pixels, pixels) image of a jet, in GeV."""
        pt = jet.constituents[:, 0]
        return mirrored(pixelised(aligned(jet), pt, self.pixels, self.half_width, self.threshold))

    def jets(self, label: int, seed: int) -> Iterator[Jet]:
        """The trimmed jets of one class that lie in the windows, without end."""
        pythia8mc, fastjet = libraries()
        pythia_seed = int(numpy_generator(seed, CLASSES[label]).integers(1, 900_000_001))
        veto = early_veto(*self.early, self.radius, pythia8mc, fastjet)
        rejected = 0
        for particles in hadrons(self.card(label), pythia_seed, pythia8mc, veto):
            jet = trimmed(towers(particles, self.tower) if self.tower else particles, self, fastjet)
            if self.accepts(jet):
                rejected = 0
                yield measured(jet, fastjet)
            elif (rejected := rejected + 1) == PATIENCE:
                raise InputError(
                    f"Jets: {PATIENCE} {CLASSES[label]} events in a row have no jet with pt in {self.pt} "
                    f"and mass in {self.mass} GeV; widen them, or move 'pt_hat' (QCD) or 'resonance' (W)"
                )

    def accepts(self, jet: Any) -> bool:
        """Whether a trimmed jet lies in the windows."""
        return (
            self.pt[0] <= jet.pt() < self.pt[1]
            and self.mass[0] <= jet.m() < self.mass[1]
            and abs(jet.eta()) < self.eta
        )

    def card(self, label: int) -> tuple[str, ...]:
        """Pythia's settings for one class, those of LAGAN's event generation."""
        beams = f"Beams:eCM = {self.beam_energy}"
        if CLASSES[label] == "QCD":
            low, high = self.pt_hat
            return beams, "HardQCD:all = on", f"PhaseSpace:pTHatMin = {low}", f"PhaseSpace:pTHatMax = {high}"
        return (
            beams,
            "NewGaugeBoson:ffbar2Wprime = on",
            "Wprime:coup2WZ = 1",
            f"34:m0 = {self.resonance}",
            "34:onMode = off",
            "34:onIfMatch = 23 24",
            "24:onMode = off",
            "24:onIfAny = 1 2 3 4",
            "23:onMode = off",
            "23:onIfAny = 12",
        )
