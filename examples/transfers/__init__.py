"""Moves money between the accounts of a PostgreSQL database: agents, parallel orders, and books that balance."""
