"""The packs that come with Omium."""
