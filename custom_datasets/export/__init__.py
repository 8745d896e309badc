"""Models for machines without PyTorch: written, compared, packed into a folder."""
