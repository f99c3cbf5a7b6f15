"""The journal: what is recorded of an execution, and how it is written down."""
