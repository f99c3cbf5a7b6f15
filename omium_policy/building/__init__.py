"""From the parser's tree to the policy's: every part a value of its own class, with its place."""
