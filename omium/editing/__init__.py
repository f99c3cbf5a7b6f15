"""What an editor asks of a Python file that uses Omium; it is read as text, and nothing of it is imported or run."""

from omium.editing.checks import Warned, warnings_of
from omium.editing.fixing import PythonFix, python_fixes
from omium.editing.hints import Hint, hints
from omium.editing.reading import PythonFile, read_python
from omium.editing.surroundings import Surroundings, surroundings_of

__all__ = [
    "Hint",
    "PythonFile",
    "PythonFix",
    "Surroundings",
    "Warned",
    "hints",
    "python_fixes",
    "read_python",
    "surroundings_of",
    "warnings_of",
]
