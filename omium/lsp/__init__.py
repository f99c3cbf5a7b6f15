"""The language server, `omium lsp`: what `omium_policy.editing` and `omium.editing` know, as editors ask for it."""
