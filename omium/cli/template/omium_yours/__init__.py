"""A plugin for Omium."""
