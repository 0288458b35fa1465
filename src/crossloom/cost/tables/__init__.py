"""Component tables, one TOML file each."""
