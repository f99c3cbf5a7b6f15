"""Values, engine, journal, effects and recovery; knows no agent framework."""
