"""What a model is worth: scores, statistics, times and figures."""
