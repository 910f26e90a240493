"""The gallery: pages on which a person sees what was made, and judges it."""
