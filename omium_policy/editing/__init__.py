"""What an editor asks of a policy's text, half written or not: pure functions of a document and an offset."""

from omium_policy.editing.completion import Completion, completions
from omium_policy.editing.definition import Target, definitions
from omium_policy.editing.document import Document
from omium_policy.editing.fixing import Edit, Fix, fixes
from omium_policy.editing.hover import Hover, hover
from omium_policy.editing.symbols import Symbol, symbols

__all__ = [
    "Completion",
    "Document",
    "Edit",
    "Fix",
    "Hover",
    "Symbol",
    "Target",
    "completions",
    "definitions",
    "fixes",
    "hover",
    "symbols",
]
