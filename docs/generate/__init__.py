"""Pages that are made of the code when the documentation is built, so that they cannot say anything else."""
