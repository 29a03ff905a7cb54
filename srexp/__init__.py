"""Super-resolution experiments on medical images that can be trusted, repeated, compared and shipped."""
