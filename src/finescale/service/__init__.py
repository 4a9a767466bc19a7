"""What happens to a model after it is built: registered, promoted by evidence, run for others, its products checked."""
