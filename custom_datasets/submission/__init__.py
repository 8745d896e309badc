"""From predictions to the file that a competition takes."""
