"""Tell people through logging and files."""
