"""What `omium demo` runs: a loan onboarding, written as a user would write it, and the world around it."""

__all__: list[str] = []
