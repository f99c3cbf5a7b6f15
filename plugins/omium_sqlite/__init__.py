"""Journals in one SQLite file: the embedded default. Import `omium_sqlite.journal.SqliteJournal`."""

__all__: list[str] = []
