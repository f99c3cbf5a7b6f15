"""A policy in plain English, for readers who do not know its syntax."""

from omium_policy.explaining.policies import explained, rule_in_words

__all__ = ["explained", "rule_in_words"]
