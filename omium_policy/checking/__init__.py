"""Everything about a policy that can be known before it runs, one module for each kind of question."""
