"""What is done about failures: kinds, ladders, backoff."""
