"""What tests of agents need: a model that answers from a script, over the real protocol."""

from __future__ import annotations

from omium.testing.model_server import ModelServer, Reply, Request, ToolCall

__all__ = ["ModelServer", "Reply", "Request", "ToolCall"]
