"""What runs a training or a test, and the record that it leaves."""
