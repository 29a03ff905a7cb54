"""One file per verb; only here do the parts of srexp meet."""
