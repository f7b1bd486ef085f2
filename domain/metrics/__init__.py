"""Measurements: arrays in, plain numbers out; one kind of measurement a file.

==================  ===========================================================  ====================
file                what it measures                                             needs
==================  ===========================================================  ====================
``classification``  accuracy, likelihood and calibration; summaries over seeds   labels
``two_sample``      can a fresh classifier tell two sets apart?                  two sets
``frechet``         distance between Gaussian fits of two sets of features       a frozen feature net
``coverage``        precision, recall, density, coverage; copies of the          two sets
                    training set
``separation``      distance between two histograms of one observable            two columns
``showers``         calorimeter observables, and features made of them           cells in MeV
``jets``            jet mass, transverse momentum, N-subjettiness                jet images in GeV
``speed``           seconds a call, measured                                     a function
==================  ===========================================================  ====================

A distance between finite samples is above zero even between equals. Each file therefore also gives
its null or floor, or says how to get it: call the same function on two sets of real samples.
"""
