"""Takes a store elsewhere, or something into it: export, import, backup, stock-taking, verification."""
