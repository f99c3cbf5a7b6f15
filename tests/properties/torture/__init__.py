"""A world outside of Omium, programs that act on it, and processes that die at any moment."""
