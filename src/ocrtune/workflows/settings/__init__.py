"""Finding settings before or instead of one long run: learning rate, batch, sweeps, learning curves."""
