"""Whole jobs made of the rooms below, called by the command line and the web page: train, adapt, demo."""
