"""Files as they stand on disk: tables, parallel text, TMX."""
