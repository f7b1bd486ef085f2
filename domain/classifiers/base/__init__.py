"""What classifiers share: scikit-learn's contract, and the game of a discriminator with K+1 classes."""
