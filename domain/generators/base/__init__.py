"""What families of generators share: the game of a generator and a critic, and codes that should follow a prior."""
