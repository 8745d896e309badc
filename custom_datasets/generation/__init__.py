"""Pictures of any class, from one generator."""
