"""How fast artifacts run on this machine."""
