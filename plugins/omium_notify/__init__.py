"""Tell people through logging, files and webhooks."""
