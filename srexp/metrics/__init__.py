"""How near a restored image is to its target, and the rules under which that is measured."""
