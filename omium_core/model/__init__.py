"""Immutable values: what the engine, the journal and the projections speak about."""
