"""Measurements: arrays in, plain numbers out; one kind of measurement a file.

====================  ===========================================================  ====================
file                  what it measures                                             needs
====================  ===========================================================  ====================
``classification``    accuracy and likelihood; summaries over seeds                labels
``calibration``       whether confidence can be trusted                            labels
``two_sample``        can a fresh classifier tell two sets apart?                  two sets
``transfer``          does one set teach what the other does?                      two sets and labels
``frechet``           distance between Gaussian fits of two sets of features       a frozen feature net
``mmd``               maximum mean discrepancy: KID on such features, and a        two sets
                      permutation test
``prd``               precision and recall of distributions, a curve and F8, F1/8  two sets
``class_score``       the Inception score with the domain's classifier             class probabilities
``physics_distance``  FPD and KPD, distances between two sets of observables       two sets
``coverage``          precision, recall, density, coverage; copies of the          two sets
                      training set
``modes``             modes of a known mixture that are covered, and how evenly    centres or classes
``likelihood``        log-likelihood by importance sampling, effective draws      a model with codes
``separation``        distances between two samples of one observable              two columns
``showers``           calorimeter observables, features made of them, and the      cells in MeV
                      energy response
``jets``              jet mass, transverse momentum, N-subjettiness                jet images in GeV
``regression``        errors of each target, and the guess that costs nothing         targets
``gaze``              the angle between estimated and true directions of gaze       yaw and pitch
``lines``             do strokes still run along their labelled centre lines?       images and masks
``speed``             seconds a call, measured                                     a function
``base``              two halves of one set, to take a floor from
====================  ===========================================================  ====================

A distance between finite samples is above zero even between equals. Each file therefore also gives
its null or floor, or says how to get it: call the same function on ``base.halves`` of real samples.
"""
