"""A policy in plain English, for readers who do not know its syntax."""

from omium_policy.explaining.policies import explained

__all__ = ["explained"]
