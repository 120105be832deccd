"""From files to the catalogue: media, encoders, catalogue; resumable."""
