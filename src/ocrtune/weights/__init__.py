"""Published weights: where they come from, how their files are read, how their tensors map to our networks."""
