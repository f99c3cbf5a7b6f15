"""Random programs for hypothesis, and a program that kills itself."""
