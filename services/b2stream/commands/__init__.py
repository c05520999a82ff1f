"""Small commands that belong to no program: `config` and `topics`."""
