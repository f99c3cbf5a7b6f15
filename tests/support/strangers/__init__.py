"""Distributions that are not Omium's, and the environment into which they are installed."""
