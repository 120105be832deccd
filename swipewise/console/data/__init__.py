"""What pages show, worked out of the stores; nothing here knows of pages."""
