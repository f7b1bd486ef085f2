"""Pure functions that a player can minimise: adversarial costs, divergences, reconstruction."""
