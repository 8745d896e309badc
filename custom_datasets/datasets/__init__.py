"""The data sets that configs name; importing a module registers its classes."""
