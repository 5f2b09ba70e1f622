"""Generated pages with exact labels: for the demo, for tests, and for trying things out before anything is labelled."""
